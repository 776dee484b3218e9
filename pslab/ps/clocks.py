"""Who is how far: the workers' clocks as one server knows them.

    worker   0  1  2  3
    clock    5  3  4  GONE      min_clock = 3: worker 1 holds the others to their staleness, worker 3 nobody
"""

from __future__ import annotations

from collections.abc import Iterable

GONE = 2**62    # the clock of a worker that said goodbye: it holds nobody up


class Clocks:
    """The clocks of K workers as one server knows them; `min_clock` is GONE when all have left."""

    def __init__(self, workers: Iterable[int]):
        self.of = dict.fromkeys(workers, 0)
        self.left_at: dict[int, int] = {}               # the last clock of those that said goodbye
        self.min_clock = 0

    def advance(self, worker: int, clock: int) -> bool:
        """A worker's clock is at least `clock`; True when the smallest clock rose. Old news changes nothing."""
        if clock > self.of[worker]:
            self.of[worker] = clock
        before, self.min_clock = self.min_clock, min(self.of.values())
        return self.min_clock > before

    def leave(self, worker: int) -> bool:
        self.left_at.setdefault(worker, self.of[worker])
        return self.advance(worker, GONE)

    def has_left(self, worker: int) -> bool:
        return self.of[worker] == GONE
