"""What a worker waits for, and what its servers' letters mean for that.

    until(reached) ──> poll ── ack   a push or init is recorded
                        │      rows  a piece of a pull
                        │      min   how far the slowest worker is (and which clock of this worker that server knows)
                        │      bye   that server let this worker go
                        │      error raised, in words
                        └──── no mail, and a letter is due: it is sent again (retry.py)
"""

from __future__ import annotations

import math
from collections import deque

from pslab.comm import Comm, Mail

from .pulls import PendingPull
from .retry import Outbox


class Inbox:
    """The waiting side of one worker: unanswered pushes and pulls, the clocks it knows of.

    models: the consistency of each table. counts: {table: {...}} in which received bytes are counted.
    """

    def __init__(self, comm: Comm, outbox: Outbox, models, incarnation: int, clock: int, reporter: int, counts: dict):
        self.comm, self.outbox, self.incarnation, self.clock = comm, outbox, incarnation, clock
        self.models, self.reporter, self.counts = set(models), reporter, counts
        self.open: dict[int, int] = {}                          # timestamp of a request -> answers missing
        self.writes: set[int] = set()                           # those of them that are writes
        self.pulls: dict[int, PendingPull] = {}
        self.taken = deque(maxlen=1024)                         # timestamps of pulls that were handed out
        self.due: dict[int, int] = {}                           # under bounded delay: which round may not begin yet
        self.recorder = None
        self._min_clock = 0
        self._fronts = dict.fromkeys(sorted({model.backup for model in self.models} - {0}), 0)
        self._told: dict[int, int] = {}                         # the clock of this worker that a server knows of

    def until(self, reached, timeout_s: float | None, what: str) -> None:
        """Read mail until reached() is true; TimeoutError, naming `what`, when that takes longer."""
        if timeout_s is None and self.outbox.retry_s is None:
            while not reached():
                self._take(self.comm.poll())
            return
        deadline_s = None if timeout_s is None else self.comm.now() + timeout_s
        while not reached():
            moments_s = [moment_s for moment_s in (deadline_s, self.outbox.due_s()) if moment_s is not None]
            mail = self.comm.poll(max(0.0, min(moments_s) - self.comm.now()) if moments_s else None)
            if mail is not None:
                self._take(mail)
                continue
            if deadline_s is not None and self.comm.now() >= deadline_s:
                raise TimeoutError(f"worker {self.comm.rank} waited {timeout_s} s for {what}")
            self.outbox.resend()        # only now: what had come meanwhile may be the answer

    def may_begin(self) -> bool:
        """Whether every table lets a worker of this clock begin its round."""
        return all(model.may_read(self.clock, self._level(model)) for model in self.models)

    def open_round(self) -> int:
        """The round that this worker goes on with: its clock, or the one that others are in where it came late."""
        levels = [self._level(model) for model in self.models if model.staleness < math.inf]
        return max(self.clock, min(levels))

    @property
    def has_backups(self) -> bool:
        """Whether some table's rounds close without all workers."""
        return bool(self._fronts)

    def read_all(self) -> None:
        """Read what has come, and wait for nothing."""
        while (mail := self.comm.poll(0.0)) is not None:
            self._take(mail)

    def _level(self, model) -> int:
        return self._fronts[model.backup] if model.backup else self._min_clock

    def _take(self, mail: Mail) -> None:
        if self.outbox.retry_s is not None:
            self.outbox.heard(mail.src)
        if mail.kind == "min":
            self._take_clock(mail)
        elif mail.kind == "bye":
            self.outbox.settle(mail.src, "bye")
        elif mail.kind in ("ack", "rows", "error"):
            if mail.meta.get("n", 0) == self.incarnation:       # else an answer to its former life
                self._take_answer(mail)
        else:
            raise ValueError(f"worker {self.comm.rank} got mail of kind {mail.kind!r} from rank {mail.src}, "
                             f"which no server sends; mail of another program needs a comm of its own (split)")

    def _take_clock(self, mail: Mail) -> None:
        self._min_clock = max(self._min_clock, mail.meta["c"])
        for backup, front in zip(self._fronts, mail.meta.get("f", ())):
            self._fronts[backup] = max(self._fronts[backup], front)
        self._told[mail.src] = max(self._told.get(mail.src, 0), mail.meta.get("k", 0))
        # A server that knows this worker's clock need not be told again; the reporter is asked on until all are here.
        for server in (mail.src, self.reporter):
            if self._told.get(server, 0) >= self.clock and (server != self.reporter or self.may_begin()):
                self.outbox.settle(server, "min")

    def _take_answer(self, mail: Mail) -> None:
        answer = mail.kind
        if answer == "error":
            answer = "rows" if mail.meta["k"] == "pull" else "ack"
        elif answer == "rows" and "a" in mail.meta:             # of a pushpull, numbered as a write
            answer = "ack"
        owner = self.outbox.settle(mail.src, answer, mail.meta["q"])
        timestamp, table, at = owner or (0, "", None)
        if mail.kind == "error":
            if timestamp in self.pulls:
                self.pulls.pop(timestamp).drop()
                self.taken.append(timestamp)
            self._answered(timestamp)
            if owner or self.outbox.retry_s is None:            # else a refusal of what was answered before
                raise ValueError(mail.meta["w"])
            return
        if mail.kind == "rows" and timestamp in self.pulls:
            keys_bytes, vals_bytes = self.pulls[timestamp].land(at, mail)
            self.counts[table]["keys_in_bytes"] += keys_bytes
            self.counts[table]["vals_in_bytes"] += vals_bytes
            if self.recorder is not None:
                self.recorder.answered(timestamp, mail.src, mail.meta)
        self._answered(timestamp)

    def _answered(self, timestamp: int) -> None:
        missing = self.open.get(timestamp)                      # None: an answer that came before
        if missing is None:
            return
        if missing > 1:
            self.open[timestamp] = missing - 1
        else:
            del self.open[timestamp]
            self.writes.discard(timestamp)
            self.due.pop(timestamp, None)
            if self.recorder is not None:
                self.recorder.done(timestamp)
