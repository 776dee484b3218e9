"""A server that knows how stale each update is: it records that, and can weigh or correct the gradient by it.

    worker                         server                                          steps of the table
    pull ────────────────────────> rows: w_then, of step 5                              5
         compute g(w_then)            others' updates …                                6, 7, 8
    push g ──────────────────────> staleness τ = 8 - 5 = 3                              9
                                   g · scale(τ)                                   staleness-scaled rate
                                   g + λ g⊙g⊙(w_now - w_then)                     delay compensation

Delay compensation belongs on the server: only there w_now and w_then are both at hand at the moment of the step, for a
copy of the rows that each worker last read, K times the table (Zheng et al. 2017). `Compensated` is the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pslab.comm import Mail
from pslab.ps import KVServer

from .replaying import compensate


class Update(NamedTuple):
    """A push as its server saw it.

    worker: its rank. clock: its stamp. lead: how far ahead of the slowest worker's clock that is. staleness: steps of
    the table between this worker's last read of it and now. time_s: when it came.
    """

    worker: int
    table: str
    clock: int
    lead: int
    staleness: int
    time_s: float


class WatchedServer:
    """A KVServer with eyes: give it to `serve` in the server's place.

    compensation: λ. scale: factor by the staleness, as `over_staleness`; both act on a push when it comes, so they are
    for tables that step on arrival (ASP, SSP with s > 0). snapshots: keep a copy of the first table's rows every so
    many of its steps, 0: none.

    updates: every push that was new, in order. snapshots_taken: (time_s, steps, rows). For worlds that lose no letters:
    of a pull that was answered twice the second answer counts.
    """

    def __init__(self, server: KVServer, *, compensation: float = 0.0, scale: Callable[[int], float] | None = None,
                 snapshots: int = 0):
        self.server, self.compensation, self.scale, self.every = server, float(compensation), scale, snapshots
        if not 0 <= self.compensation < float("inf"):
            raise ValueError(f"compensation={compensation!r}; a number from 0 is needed")
        if isinstance(snapshots, bool) or not isinstance(snapshots, int) or snapshots < 0:
            raise ValueError(f"snapshots={snapshots!r}; a whole number from 0 is needed")
        for shard in server.shards:
            if shard.config.consistency.in_rounds and (compensation or scale):
                raise ValueError(f"table {shard.config.name!r} steps in rounds, where no update is stale; "
                                 f"compensation and scale need SSP with s > 0, or ASP")
            if compensation and (shard.config.num_rows is None or shard.rows.dtype != np.float32):
                raise ValueError(f"table {shard.config.name!r}: compensation keeps a copy of the rows for each worker, "
                                 f"and needs num_rows and float32")
        self.updates: list[Update] = []
        self.snapshots_taken: list[tuple[float, int, np.ndarray]] = []
        self._asked: dict[tuple[int, int], tuple] = {}          # (worker, q) of a pull -> its shard and local rows
        self._read_at: dict[tuple[int, str], int] = {}          # (worker, table) -> steps when it last read
        self._then: dict[tuple[int, str], np.ndarray] = {}      # (worker, table) -> what it last read, all rows
        if snapshots:
            self._snapshot(0.0)

    def __getattr__(self, name):
        return getattr(self.server, name)       # done, rows, stats, next_deadline_s … are the server's own

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """As KVServer.handle."""
        shard = self._shard_of(mail)
        if shard is None or mail.kind not in ("pull", "push"):
            return self._answers(self.server.handle(mail, now_s), now_s)
        if mail.kind == "pull":
            self._asked[mail.src, mail.meta.get("q")] = shard, _where(mail, shard) if self.compensation else None
            return self._answers(self.server.handle(mail, now_s), now_s)
        stale = shard.counts["steps"] - self._read_at.get((mail.src, shard.config.name), 0)
        update = Update(mail.src, shard.config.name, mail.meta.get("c"), mail.meta.get("c", 0) - self.server.min_clock,
                        stale, now_s)
        pushes = shard.counts["pushes"]
        answers = self.server.handle(self._weighed(mail, shard, stale), now_s)
        if shard.counts["pushes"] > pushes:
            self.updates.append(update)
        return self._answers(answers, now_s)

    def _weighed(self, mail: Mail, shard, stale: int) -> Mail:
        """The push with its gradient corrected and scaled; as it came where there is nothing to do."""
        then = self._then.get((mail.src, shard.config.name))
        if not mail.tensors or (self.scale is None and (not self.compensation or then is None)):
            return mail
        gradient = np.asarray(mail.tensors[-1])
        if self.compensation and then is not None:
            where = _where(mail, shard)
            if gradient.shape != then[where].shape:
                return mail                     # the server refuses it, in words
            gradient = compensate(gradient, shard.rows[where], then[where], np.float32(self.compensation))
        if self.scale is not None:
            gradient = gradient * np.float32(self.scale(stale))
        return Mail(mail.src, mail.kind, mail.meta, [*mail.tensors[:-1], gradient])

    def _answers(self, answers: list[tuple[int, Mail]], now_s: float) -> list[tuple[int, Mail]]:
        for worker, letter in answers:
            shard, where = self._asked.pop((worker, letter.meta.get("q")), (None, None)) if letter.kind == "rows" \
                else (None, None)
            if shard is None:
                continue
            key = worker, shard.config.name
            self._read_at[key] = shard.counts["steps"]
            if self.compensation:
                if key not in self._then:
                    self._then[key] = shard.rows.copy()
                self._then[key][where] = shard.rows[where]
        steps = self.server.shards[0].counts["steps"]
        if self.every and steps != self.snapshots_taken[-1][1] and steps % self.every == 0:
            self._snapshot(now_s)
        return answers

    def _snapshot(self, now_s: float) -> None:
        shard = self.server.shards[0]
        self.snapshots_taken.append((now_s, shard.counts["steps"], shard.rows.copy()))

    def _shard_of(self, mail: Mail | None):
        number = None if mail is None else mail.meta.get("t")
        return self.server.shards[number] if type(number) is int and 0 <= number < len(self.server.shards) else None


def _where(mail: Mail, shard) -> slice | np.ndarray:
    """The letter's rows within the shard; none for a letter that the server will refuse."""
    if "r" in mail.meta:
        first, count = mail.meta["r"]
        where = shard.where(range(first, first + count)) if count else None
    else:
        keys = np.asarray(mail.tensors[0]) if mail.tensors else np.empty(0, np.int64)
        where = shard.where(keys) if keys.size and keys.ndim == 1 and keys.dtype == np.int64 else None
    if where is None:
        return slice(0, 0)
    return slice(where.start, where.stop) if isinstance(where, range) else where
