"""The worker's side of consistency: the end of a round, and leaving.

    end_round   own pushes acknowledged ──> clock + 1 ──> every server is told ──> until all tables let it begin
                (under bounded delay: own requests of earlier iterations answered)
    leave       own requests answered ──> bye to every server ──> until every server said bye
"""

from __future__ import annotations

from pslab.comm import Comm

from .inbox import Inbox
from .retry import LONGEST, Outbox

_STAY = 8           # a server is asked to stay for so many of the longest waits between two tries


class WorkerRounds:
    """One worker's clock: what it waits for when a round ends, and when it leaves."""

    def __init__(self, comm: Comm, servers: list[int], outbox: Outbox, inbox: Inbox):
        self.comm, self.servers, self.outbox, self.inbox = comm, servers, outbox, inbox
        self._told = inbox.clock

    def end_round(self) -> int:
        """Wait for own acknowledgements, advance, tell every server, wait for the others; gives the new clock."""
        inbox, outbox = self.inbox, self.outbox
        inbox.until(lambda: inbox.writes <= inbox.due.keys(), None, "acknowledgements")
        if outbox.retry_s is not None:              # the clock letter must not overtake a pull of this round
            inbox.until(lambda: inbox.open.keys() <= inbox.due.keys(), None, "rows of its pulls")
        if inbox.due:
            begins = inbox.clock + 1
            inbox.until(lambda: min(inbox.due.values(), default=begins + 1) > begins, None, "its earlier requests")
        ended = inbox.clock
        inbox.clock += 1
        op = None if inbox.recorder is None else inbox.recorder.begin("clock", inbox.clock)
        left_out = {"j": ended} if ended > self._told else {}       # rounds before it, which were closed without it
        self._told = inbox.clock
        for server in self.servers:
            if outbox.retry_s is None:
                self.comm.post(server, "clock", {"c": inbox.clock, **left_out})
            else:
                outbox.tell(server, "min", "clock", {"c": inbox.clock, "a": True, **left_out})
        inbox.until(lambda: inbox.may_begin() and not outbox.waits_for("min"), None, "clocks of the other workers")
        if inbox.has_backups:
            inbox.read_all()                        # the round that is open now, and not the first that may be begun
            inbox.clock = inbox.open_round()
        if op is not None:
            op.clock = inbox.clock
            inbox.recorder.end(op)
        return inbox.clock

    def finish_requests(self) -> None:
        """Wait until every own request is answered."""
        self.inbox.until(lambda: not self.outbox.waits_for(), None, "answers to its last requests")

    def leave(self) -> None:
        """Tell every server, and wait until each has let this worker go."""
        retry_s = self.outbox.retry_s
        if self.inbox.recorder is not None:
            self.inbox.recorder.end(self.inbox.recorder.begin("bye", self.inbox.clock))
        for server in self.servers:
            self.outbox.tell(server, "bye", "bye", {} if retry_s is None else {"s": _STAY * LONGEST * retry_s})
        try:
            self.inbox.until(lambda: not self.outbox.waits_for(), None, "the servers' goodbye")
        except TimeoutError:
            if retry_s is None:
                raise
            # Every request of this worker was answered: a server that is silent now heard the goodbye, stayed as long
            # as it was asked to, and ended, while each of its answers was lost.
        if retry_s is not None:
            for server in self.servers:
                self.comm.post(server, "bye")       # it need not stay any longer; when this is lost, it stays in vain
