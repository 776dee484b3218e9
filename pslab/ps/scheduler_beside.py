"""The scheduler's rank: letters for the scheduler, and for the server that may live with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pslab.comm import Comm, Mail

from .scheduler_mail import is_scheduling, table_lines
from .scheduler_status import ClockWatch
from .server import KVServer
from .serving import answer, begin, post_all
from .tables import TableConfig

if TYPE_CHECKING:
    from .scheduler import Scheduler


class Beside:
    """The scheduler's rank: its letters, and those of the server that lives with it (make_server None: no server).

    Between the two no letter travels: what one has to tell the other is handed over.
    """

    def __init__(self, comm: Comm, scheduler: Scheduler, make_server, tables: Sequence[TableConfig]):
        self.comm, self.scheduler, self.make_server, self.tables = comm, scheduler, make_server, list(tables)
        self.server: KVServer | None = None
        self._watch: ClockWatch | None = None
        self._schedule(None, comm.now())
        if make_server is not None:
            self._schedule(Mail(comm.rank, "s.register", {"role": "server", "n": 0, "d": table_lines(self.tables)}),
                           comm.now())

    @property
    def done(self) -> bool:
        return self.make_server is None or (self.server is not None and self.server.done)

    def next_deadline_s(self) -> float | None:
        return None if self.server is None else self.server.next_deadline_s()

    def handle(self, mail: Mail | None, now_s: float) -> None:
        if mail is None or is_scheduling(mail):
            self._schedule(mail, now_s)
        if self.server is not None and (mail is None or not is_scheduling(mail)):
            if mail is not None:
                self._watch.see(mail, now_s)
            was_done = self.server.done
            answer(self.comm, self.server, mail)
            if self.server.done and not was_done:
                self._schedule(Mail(self.comm.rank, "s.leave", {"n": 0}), now_s)
        elif mail is not None and not is_scheduling(mail):
            raise ValueError(f"the scheduler of rank {self.comm.rank} got mail of kind {mail.kind!r} from rank "
                             f"{mail.src}; it is no server")

    def _schedule(self, mail: Mail | None, now_s: float) -> None:
        letters = deque(self.scheduler.handle(mail, now_s))
        while letters:
            dst, letter = letters.popleft()
            if dst != self.comm.rank:
                post_all(self.comm, [(dst, letter)])
            elif letter.kind == "s.nodes":
                self.server = self.make_server(letter.meta["i"], len(letter.meta["s"]), letter.meta["w"])
                self._watch = ClockWatch(self.server, self.tables, now_s)
                begin(self.comm, self.server)
            elif letter.kind == "s.ask":
                letters.extend(self.scheduler.handle(self._watch.letter(self.comm.rank, now_s), now_s))
            elif letter.kind == "s.refused":
                raise ValueError(letter.meta["w"])
