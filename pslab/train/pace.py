"""How long a worker computes at a step: straggler profiles, seeded, for virtual time and for real time.

    equal           rank 0  ■ ■ ■ ■        persistent   rank 0  ■ ■ ■ ■          transient   rank 0  ■ ■■■■ ■ ■
                    rank 1  ■ ■ ■ ■        (rank 1)     rank 1  ■■ ■■ ■■ ■■                  rank 1  ■ ■ ■ ■■■■

    pace = Pace.transient(0.01, probability=0.1, factor=4, seed=7)
    comm.compute(pace(comm.rank, step))         virtual seconds in the simulator, nothing elsewhere
    spend(comm, pace(comm.rank, step))          the same, and real seconds in real worlds

A pace is a pure function of (rank, step): drawn numbers come from a hash of (seed, rank, step), and depend neither on
the order of the calls nor on how many ranks there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from pslab.comm import Comm

_MASK = 2**64 - 1
_DRAWS = ("none", "transient", "exponential")


@dataclass(frozen=True)
class Pace:
    """Seconds of computation of (rank, step) = step_s × slowness of the rank × what is drawn for this step.

    Make one with Pace.equal, .persistent, .transient, .exponential or .speeds; `with_slow` adds a persistent straggler
    to any of them. slowness: ((rank, factor), ...), 1 for the others. num_ranks: ranks it is defined for, None: any.
    """

    step_s: float
    slowness: tuple[tuple[int, float], ...] = ()
    draw: str = "none"
    probability: float = 0.0
    factor: float = 1.0
    seed: int = 0
    num_ranks: int | None = None

    def __post_init__(self):
        _check_number("step_s", self.step_s, least=0)
        _check_number("factor", self.factor, least=0)
        _check_number("probability", self.probability, least=0)
        if self.probability > 1:
            raise ValueError(f"probability={self.probability!r}; a number from 0 to 1 is needed")
        if self.draw not in _DRAWS:
            raise ValueError(f"draw={self.draw!r}; allowed: {', '.join(_DRAWS)}")
        _check_whole("seed", self.seed)
        for rank, factor in self.slowness:
            _check_whole("rank", rank)
            _check_number("factor", factor, least=0)

    # ---- the profiles ---------------------------------------------------------------------------------------------

    @classmethod
    def equal(cls, step_s: float) -> Pace:
        """Every step of every rank takes step_s."""
        return cls(step_s)

    @classmethod
    def persistent(cls, step_s: float, rank: int, factor: float) -> Pace:
        """One rank is slow for good: its steps take factor · step_s, those of the others step_s."""
        return cls(step_s).with_slow(rank, factor)

    @classmethod
    def transient(cls, step_s: float, probability: float, factor: float, seed: int = 0) -> Pace:
        """Anyone may be slow for a step: factor · step_s with this probability, else step_s, independently."""
        return cls(step_s, draw="transient", probability=probability, factor=factor, seed=seed)

    @classmethod
    def exponential(cls, mean_s: float, seed: int = 0) -> Pace:
        """Exponentially distributed steps of mean mean_s: after any wait, what is left is as long as at the start."""
        return cls(mean_s, draw="exponential", seed=seed)

    @classmethod
    def speeds(cls, speeds: Sequence[float], step_s: float = 1.0) -> Pace:
        """Rank r of len(speeds) works at speeds[r] times the nominal speed: its steps take step_s / speeds[r]."""
        speeds = tuple(speeds)
        for speed in speeds:
            if not _is_number(speed) or not 0 < speed < math.inf:
                raise ValueError(f"speeds={speeds!r}; numbers above 0 are needed, one a rank")
        if not speeds:
            raise ValueError("speeds=(); at least one is needed")
        return cls(step_s, tuple((rank, 1 / speed) for rank, speed in enumerate(speeds)), num_ranks=len(speeds))

    def with_slow(self, rank: int, factor: float) -> Pace:
        """This pace, with all steps of one rank `factor` times as long."""
        return replace(self, slowness=(*self.slowness, (rank, factor)))

    # ---- what it says ---------------------------------------------------------------------------------------------

    def __call__(self, rank: int, step: int) -> float:
        """Seconds that this rank computes at this step, both counted from 0."""
        _check_whole("rank", rank)
        _check_whole("step", step)
        if self.num_ranks is not None and rank >= self.num_ranks:
            raise ValueError(f"rank={rank}; this pace has ranks 0..{self.num_ranks - 1}")
        seconds = float(self.step_s)
        for slow, factor in self.slowness:
            if slow == rank:
                seconds *= factor
        if self.draw == "none":
            return seconds
        return seconds * self._drawn(_uniform(self.seed, rank, step))

    def table(self, num_ranks: int, num_steps: int) -> np.ndarray:
        """(num_ranks, num_steps) seconds, float64: entry [r, t] is pace(r, t)."""
        if self.num_ranks is not None and num_ranks > self.num_ranks:
            raise ValueError(f"num_ranks={num_ranks}; this pace has ranks 0..{self.num_ranks - 1}")
        return np.array([[self(rank, step) for step in range(num_steps)] for rank in range(num_ranks)],
                        np.float64).reshape(num_ranks, num_steps)

    def _drawn(self, u: float) -> float:
        if self.draw == "transient":
            return self.factor if u < self.probability else 1.0
        return -math.log1p(-u)


def spend(comm: Comm, seconds: float, *, real: str = "sleep") -> None:
    """Let a rank be busy for `seconds`: of virtual time in the simulator, of real time elsewhere.

    real: what a real world does. "sleep" leaves the core to others, so that K ranks on fewer cores keep their pace;
    "burn" computes until the time is over, as a step of training would; "none" does nothing.
    """
    if real not in ("sleep", "burn", "none"):
        raise ValueError(f"real={real!r}; allowed: sleep, burn, none")
    before = comm.now()
    comm.compute(seconds)
    passed = comm.now() - before
    if 2 * passed >= seconds or real == "none":         # compute() took its time: the clock is a virtual one
        return
    if real == "sleep":
        comm.sleep(seconds - passed)
        return
    until = time.perf_counter() + seconds - passed
    while time.perf_counter() < until:
        pass


def _uniform(seed: int, rank: int, step: int) -> float:
    """A number in [0, 1) fixed by the three: three rounds of the splitmix64 finaliser."""
    mixed = 0
    for part in (seed, rank, step):
        mixed = _mix((mixed ^ part) + 0x9E3779B97F4A7C15)
    return (mixed >> 11) / 2**53


def _mix(z: int) -> int:
    z &= _MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_number(name: str, value: float, least: float) -> None:
    if not _is_number(value) or not least <= value < math.inf:
        raise ValueError(f"{name}={value!r}; a finite number from {least} is needed")


def _check_whole(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= _MASK:
        raise ValueError(f"{name}={value!r}; a whole number from 0 is needed")
