"""Copies of a server's rows as a run goes on, so that the model can be scored afterwards: nothing is sent for it.

    clocks of the workers     1 1   2 1   2 2   3 2   3 3   ...          every = 1 round of K = 2 workers
    rounds                    1     1     2     2     3                  BSP: rounds closed
                              1    1.5    2    2.5    3                  else: batches done, divided by K
    a copy at                 1           2           3

Every server hears every clock, so each takes its n-th copy at the same count, if not at the same instant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pslab.comm import Mail
from pslab.ps import KVServer


class Copy(NamedTuple):
    """The rows of one server when so many rounds were done."""

    rounds: int
    time_s: float
    rows: dict[str, np.ndarray]


class Watched:
    """A KVServer to hand to `serve`, which also keeps copies of its rows: before the first round and every `every`."""

    def __init__(self, server: KVServer, tables, workers: int, every: int):
        self._server, self._every = server, every
        self._names = [table.name for table in tables]
        waits = [table.consistency.backup for table in tables if table.consistency.in_rounds]
        self._backup = max(waits) if waits else None            # None: pushes are steps at once
        self._clocks = dict.fromkeys(range(workers), 0)
        self._clock_s = 0.0                             # when the last clock came
        self.copies: list[Copy] = []

    def handle(self, mail: Mail | None, now_s: float):
        """As the server does, then a copy where one is due."""
        if not self.copies:
            self._copy(0, now_s)
        answers = self._server.handle(mail, now_s)
        if mail is not None and mail.kind == "clock" and mail.src in self._clocks:
            self._clocks[mail.src] = max(self._clocks[mail.src], mail.meta["c"])
            self._clock_s = now_s
            if self._rounds() >= self.copies[-1].rounds + self._every:
                self._copy(self.copies[-1].rounds + self._every, now_s)
        return answers

    def finish(self) -> list[Copy]:
        """All copies, the last one of the rows as they are in the end."""
        rounds = int(self._rounds())
        if self.copies[-1].rounds == rounds:
            self._clock_s = self.copies.pop().time_s
        self._copy(rounds, self._clock_s)
        return self.copies

    def __getattr__(self, name: str):
        return getattr(self._server, name)

    def _rounds(self) -> float:
        clocks = sorted(self._clocks.values())
        return sum(clocks) / len(clocks) if self._backup is None else clocks[self._backup]

    def _copy(self, rounds: int, time_s: float) -> None:
        self.copies.append(Copy(rounds, time_s, {name: self._server.rows(name).copy() for name in self._names}))
