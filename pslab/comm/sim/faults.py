"""What can go wrong, as parameters with a seed: the same seed, the same misfortunes.

                        mail   tensors   what it does
    drop                 x               a letter is sent and never arrives
    duplicate            x               a letter arrives twice, the second time up to one latency (+ reorder_s) later
    reorder_s            x               a letter arrives up to this much later, and others may overtake it
    delay_s              x        x      a message arrives up to this much later; letters of one lane keep their order
    slow                                 {rank: factor}: compute(s) takes factor·s
    crash                                {rank: time_s}: the rank dies; the run ends with RankDied(rank, signal=9)

Tensors are the reliable plane: they are never lost, doubled or swapped. A rank's mail to itself is not struck. What a
lane suffers is drawn from a generator of its own, so that traffic elsewhere does not change it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ..errors import RankDied
from .kernel import Kernel, Task


@dataclass(frozen=True)
class Faults:
    """Probabilities from 0 to 1, and seconds of virtual time."""

    seed: int = 0
    drop: float = 0.0
    duplicate: float = 0.0
    reorder_s: float = 0.0
    delay_s: float = 0.0
    slow: dict[int, float] = field(default_factory=dict)
    crash: dict[int, float] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("drop", "duplicate"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value}; a probability from 0 to 1 is needed")
        for name in ("reorder_s", "delay_s"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value}; a number of seconds, 0 or more, is needed")
        for rank, factor in self.slow.items():
            if not 0 < factor < float("inf"):
                raise ValueError(f"slow[{rank}]={factor}; a factor above 0 is needed")
        for rank, time_s in self.crash.items():
            if not 0 <= time_s < float("inf"):
                raise ValueError(f"crash[{rank}]={time_s}; a time in seconds, 0 or more, is needed")

    def check_ranks(self, world_size: int) -> None:
        for name in ("slow", "crash"):
            for rank in getattr(self, name):
                if not isinstance(rank, int) or not 0 <= rank < world_size:
                    raise ValueError(f"{name} names rank {rank!r}; this world has ranks 0..{world_size - 1}")

    def of_lane(self, src: int, dst: int) -> LaneFaults | None:
        """What strikes messages from src to dst; None when nothing does."""
        if self.drop or self.duplicate or self.reorder_s or self.delay_s:
            return LaneFaults(self, src, dst)
        return None


class LaneFaults:
    """The misfortunes of one lane, drawn message by message."""

    def __init__(self, faults: Faults, src: int, dst: int):
        self._faults = faults
        self._random = random.Random(f"{faults.seed}/{src}/{dst}")
        self._latest_s = 0.0

    def of_tensor(self, arrive_s: float) -> float:
        """When it arrives instead."""
        return arrive_s + self._random.random() * self._faults.delay_s

    def of_letter(self, arrive_s: float, latency_s: float) -> list[float]:
        """When it arrives instead: never, once or twice."""
        faults, draw = self._faults, self._random.random
        lost, twice, delay, swap, again = [draw() for _ in range(5)]     # always five: knobs do not interfere
        self._latest_s = max(self._latest_s, arrive_s + delay * faults.delay_s)
        if lost < faults.drop:
            return []
        first_s = self._latest_s + swap * faults.reorder_s
        if twice < faults.duplicate:
            return [first_s, first_s + again * (latency_s + faults.reorder_s)]
        return [first_s]


class Crash:
    """The queue entry that ends a rank at its time, and with it the run."""

    def __init__(self, kernel: Kernel, task: Task):
        self._kernel, self._task = kernel, task

    def fire(self) -> Task | None:
        if self._task.ended:
            return None
        note = f"it crashed at {self._kernel.now:g} s of virtual time, as its faults say"
        return self._kernel.fail(self._task, RankDied(self._task.rank, signal=9, note=note))
