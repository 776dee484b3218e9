"""What a pull may see: BSP, SSP and ASP, one object each.

    clock       0          1          2          a push is stamped with its worker's clock
    worker 0  push pull | push pull | ...        | is clock(): one more finished round
    worker 1  push      pull |                   the slowest worker's clock is what the others are held to

                a pull at clock c sees                                    a push becomes a step
    BSP         exactly the updates stamped <= c - 1                      when its round closes, joined with all others
    SSP(s)      all stamped <= c - s - 1, all its own, perhaps newer      on arrival (s = 0: as BSP)
    ASP         what has arrived                                          on arrival

Rounds close on clocks and not on pushes: a worker that pushes twice closes nothing, and one that pushes nothing in a
round holds nobody up once it has called clock(). SSP: Ho et al., "More Effective Distributed ML via a Stale
Synchronous Parallel Parameter Server" (NIPS 2013); bounded delay on servers: Li et al. (OSDI 2014). Papers and codes
are off by one from each other; the table above is what is kept here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


class Consistency:
    """A consistency model of a table.

    staleness: rounds that a worker may run ahead of the slowest. in_rounds: whether pushes wait for the end of their
    round and become one step. reads_own: whether a pull waits for its worker's earlier pushes where letters may
    overtake each other.
    """

    staleness: float
    in_rounds: bool = False
    reads_own: bool = False

    def may_read(self, clock: int, min_clock: int) -> bool:
        """May a worker at `clock` begin its round, or read, while the slowest worker's clock is min_clock?"""
        return min_clock >= clock - self.staleness

    def good_until(self, min_clock: int) -> float:
        """The last clock at which rows may be read that hold every update stamped below min_clock."""
        return min_clock + self.staleness

    @property
    def steps_on_copies(self) -> bool:
        """Whether a cache takes its worker's pushes too: where copies are read without asking after such a push."""
        return not self.in_rounds and self.good_until(0) >= 0


@dataclass(frozen=True)
class BSP(Consistency):
    """Bulk synchronous: a pull at clock c sees exactly the rounds before c. It is SSP with a staleness of 0."""

    staleness = 0
    in_rounds = True


@dataclass(frozen=True)
class SSP(Consistency):
    """Stale synchronous: nobody begins a round more than `staleness` rounds ahead of the slowest worker's clock.

    staleness: a whole number from 0, or math.inf: no waiting, but a worker still reads its own writes.
    """

    staleness: float

    def __post_init__(self):
        s = self.staleness
        if isinstance(s, bool) or not (s == math.inf or (isinstance(s, int) and s >= 0)):
            raise ValueError(f"staleness={s!r}; a whole number from 0, or math.inf, is needed")

    @property
    def in_rounds(self) -> bool:
        return self.staleness == 0

    @property
    def reads_own(self) -> bool:
        return self.staleness > 0


@dataclass(frozen=True)
class ASP(Consistency):
    """Asynchronous: nobody waits for anybody, and nothing is promised about what a pull sees."""

    staleness = math.inf

    def good_until(self, min_clock: int) -> float:
        return -1                       # no bound to lean on: a cached row is asked about every time


def consistency_of(staleness: float) -> Consistency:
    """BSP for 0, ASP for math.inf, SSP between: a single number chooses."""
    if staleness == math.inf:
        return ASP()
    ssp = SSP(staleness)
    return ssp if staleness else BSP()
