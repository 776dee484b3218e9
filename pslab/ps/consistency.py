"""What a pull may see: BSP, SSP, ASP, bounded delay and elastic averaging, one object each, chosen per table.

    clock       0          1          2          a push is stamped with its worker's clock
    worker 0  push pull | push pull | ...        | is clock(): one more finished round
    worker 1  push      pull |                   the slowest worker's clock is what the others are held to

                     a pull at clock c sees                             a push becomes a step
    BSP              exactly the updates stamped <= c - 1               when its round closes, joined with all others
    BSP(backup=b)    the same, of the workers that were in time         when all but b workers ended the round
    SSP(s)           all stamped <= c - s - 1, all its own, newer ones  on arrival (s = 0: as BSP)
    ASP              what has arrived                                   on arrival
    BoundedDelay(t)  what has arrived, its own up to c - t - 1          on arrival
    EASGD            as BSP; a clock is one exchange with the centre    as BSP (elastic.py)
    PerRange         what the model of its key's range says             as that model says (per_range.py)

Rounds close on clocks and not on pushes: a worker that pushes twice closes nothing, and one that pushes nothing in a
round holds nobody up once it has called clock(). SSP: Ho et al., "More Effective Distributed ML via a Stale
Synchronous Parallel Parameter Server" (NIPS 2013); bounded delay on servers: Li et al. (OSDI 2014). Papers and codes
are off by one from each other; the table above is what is kept here, and history.py proves it of a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


class Consistency:
    """A consistency model of a table.

    staleness: rounds that a worker may run ahead of the slowest. in_rounds: whether pushes wait for the end of their
    round and become one step. reads_own: whether a pull waits for its worker's earlier pushes where letters may
    overtake each other. backup: how many workers a round does not wait for. delay: how many iterations a worker's own
    requests may stay unanswered behind it; None: its pushes are acknowledged, and that is all, before its clock moves.
    """

    staleness: float
    in_rounds: bool = False
    reads_own: bool = False
    backup = 0
    delay: int | None = None

    def check(self, config, num_workers: int) -> None:
        """ValueError where a table (its TableConfig) cannot have this model with so many workers."""

    def over(self, keys) -> Consistency:
        """The model of a request for these keys: what the strictest of them demands (see PerRange)."""
        return self

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
    """Bulk synchronous: a pull at clock c sees exactly the rounds before c. It is SSP with a staleness of 0.

    backup: b workers beyond what a round needs (Chen et al., "Revisiting Distributed Synchronous SGD", 2016). A round
    closes when K - b distinct workers have ended it by clock(), or all that are still here if those are fewer. The
    pushes of the others are dropped and counted (`late` in the server's stats) and are in no round at all. The step is
    the mean over those used: workers scale their gradients as if all K came, and the server multiplies the sum of a
    round by K / (workers that ended it). A worker that was late goes on with the round that is open: its clock()
    gives that round's number, which may be more than one further. So loop by it: `while kv.clock() < rounds`. With
    several servers each closes its rounds on those that were in time there.
    """

    backup: int = 0
    staleness = 0
    in_rounds = True

    def __post_init__(self):
        if isinstance(self.backup, bool) or not isinstance(self.backup, int) or self.backup < 0:
            raise ValueError(f"backup={self.backup!r}; a whole number from 0 is needed")

    def check(self, config, num_workers):
        if self.backup >= num_workers:
            raise ValueError(f"table {config.name!r}: backup={self.backup} with {num_workers} workers; at least one "
                             f"worker must be waited for: 0..{num_workers - 1}")


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


@dataclass(frozen=True)
class BoundedDelay(Consistency):
    """Iteration t begins when all of the worker's own requests of iterations before t - tau are answered.

    Nobody waits for another worker: what is bounded is how many of its own pushes and pulls a worker has under way, and
    with them how old the rows are that it goes on with. tau = 0: an iteration begins when everything before it is
    finished, one after the other. An iteration ends with clock(). Li et al. (OSDI 2014, section 3.4).
    """

    tau: int
    staleness = math.inf

    def __post_init__(self):
        if isinstance(self.tau, bool) or not isinstance(self.tau, int) or self.tau < 0:
            raise ValueError(f"tau={self.tau!r}; a whole number of iterations from 0 is needed")

    @property
    def delay(self) -> int:
        return self.tau

    def good_until(self, min_clock: int) -> float:
        return -1


@dataclass(frozen=True)
class EASGD(Consistency):
    """Elastic averaging: every worker trains a model of its own, drawn to a common centre, the table (elastic.py).

    Every `every` steps d = alpha (x - centre); x -= d; the centre takes the sum of all d. With no gradient the distance
    between the workers' mean and the centre shrinks by the factor 1 - alpha (K + 1) an exchange: it is stable for
    0 < alpha < 2 / (K + 1) with K workers. Zhang, Choromanska, LeCun (2015), the synchronous form: all workers of an
    exchange see the same centre. For the server it is BSP.
    """

    alpha: float
    every: int
    staleness = 0
    in_rounds = True

    def __post_init__(self):
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"every={self.every!r}; a whole number of steps from 1 is needed")
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)) or not 0 < self.alpha < 1:
            raise ValueError(f"alpha={self.alpha!r}; 0 < alpha < 2 / (K + 1) is needed, with K workers")

    def check(self, config, num_workers):
        if not self.alpha < 2 / (num_workers + 1):
            raise ValueError(f"table {config.name!r}: alpha={self.alpha} with {num_workers} workers; below "
                             f"2 / ({num_workers} + 1) = {2 / (num_workers + 1):.4g} is needed, or the workers and "
                             f"the centre swing ever wider")


def consistency_of(staleness: float) -> Consistency:
    """BSP for 0, ASP for math.inf, SSP between: a single number chooses."""
    if staleness == math.inf:
        return ASP()
    ssp = SSP(staleness)
    return ssp if staleness else BSP()
