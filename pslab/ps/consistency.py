"""What a pull may see: clocks, and the rule that compares them.

    clock     0         1         2
    worker 0  push pull | push pull | ...        a push is stamped with its worker's clock
    worker 1  push      pull |                   round c closes when every worker's clock is above c
              round 0      round 1               BSP: a pull at clock c sees the rounds before c, and nothing else

Rounds close on clocks and not on pushes: a worker that pushes twice closes nothing, and one that pushes nothing in a
round holds nobody up once it has called clock().
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GONE = 2**62    # the clock of a worker that said goodbye: it holds nobody up


class Consistency:
    """`staleness`: clocks that a worker may run ahead of the slowest."""

    staleness: int

    def may_read(self, clock: int, min_clock: int) -> bool:
        """May a pull stamped `clock` be answered while the slowest worker's clock is min_clock?"""
        return min_clock >= clock - self.staleness


@dataclass(frozen=True)
class BSP(Consistency):
    """Bulk synchronous: a pull at clock c sees exactly the rounds before c. It is SSP with a staleness of 0."""

    staleness = 0


class Clocks:
    """The clocks of K workers as one server knows them; `min_clock` is GONE when all have left."""

    def __init__(self, workers: Iterable[int]):
        self.of = dict.fromkeys(workers, 0)
        self.min_clock = 0

    def advance(self, worker: int, clock: int) -> bool:
        """A worker's clock is at least `clock`; True when the smallest clock rose. Old news changes nothing."""
        if clock > self.of[worker]:
            self.of[worker] = clock
        before, self.min_clock = self.min_clock, min(self.of.values())
        return self.min_clock > before

    def leave(self, worker: int) -> bool:
        return self.advance(worker, GONE)

    def has_left(self, worker: int) -> bool:
        return self.of[worker] == GONE


class Seen:
    """Which of one sender's numbered requests were recorded, in bounded memory: a high-water mark and a small window.

    Numbers run 1, 2, 3, ...; all up to `mark` were seen, and those in `above` overtook a missing one. A sender that
    starts again comes with a higher incarnation and counts from 1.
    """

    WINDOW = 4096

    def __init__(self):
        self.incarnation, self.mark, self.above = 0, 0, set()

    def is_repeat(self, incarnation: int, number: int) -> bool:
        return incarnation == self.incarnation and (number <= self.mark or number in self.above)

    def fits(self, incarnation: int, number: int) -> bool:
        """Whether the number lies within the window above the mark."""
        mark = self.mark if incarnation == self.incarnation else 0
        return number <= mark + self.WINDOW

    def note(self, incarnation: int, number: int) -> None:
        if incarnation > self.incarnation:
            self.incarnation, self.mark, self.above = incarnation, 0, set()
        self.above.add(number)
        while self.mark + 1 in self.above:
            self.mark += 1
            self.above.remove(self.mark)
