"""Vector clocks: how far each worker's updates are contained in something, and one such clock for a range of keys.

    VectorClock          {0: 3, 1: 5}           holds worker 0's updates up to its clock 3, worker 1's up to 5
    a <= b               b holds all that a does      {0: 3} <= {0: 3, 1: 5}
    a.concurrent(b)      each holds what the other lacks
    a.merge(b)           the larger entry of each worker: what somebody holds who has heard both

    RangeClocks          keys   0 ........ 40 .... 60 .......... 100        one clock a key would be R clocks; most keys
                                {1: 2}     {0: 3, 1: 2}  {1: 2}             are pushed in ranges and share theirs

A push of the keys 40..59 splits one range into at most 3; neighbours with equal clocks are one range again. So a server
knows of every key which worker last pushed to it at which clock, for the memory of a few ranges: Li et al. (OSDI 2014,
section 4.1), where an entry is the time of a node's last update of the range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping


class VectorClock(Mapping):
    """An immutable clock: worker -> the clock of its newest update in here. Workers that never updated are absent."""

    __slots__ = ("_hash", "_of")

    def __init__(self, of: Mapping[int, int] | Iterable[tuple[int, int]] = ()):
        self._of = dict(of)
        for worker, clock in self._of.items():
            if isinstance(clock, bool) or not isinstance(clock, int) or clock < 0:
                raise ValueError(f"clock {clock!r} of worker {worker}; a whole number from 0 is needed")
        self._hash = None

    def __getitem__(self, worker: int) -> int:
        return self._of[worker]

    def __iter__(self) -> Iterator[int]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def seen(self, worker: int, clock: int) -> bool:
        """Whether the worker's updates up to `clock` are contained."""
        return self._of.get(worker, -1) >= clock

    def advance(self, worker: int, clock: int) -> VectorClock:
        """With an update of `worker` at `clock` as well. Old news gives this clock itself."""
        return self if self.seen(worker, clock) else VectorClock({**self._of, worker: clock})

    def merge(self, other: VectorClock) -> VectorClock:
        """What holds all that either holds: the larger entry of each worker."""
        if other <= self:
            return self
        return VectorClock({**self._of, **{worker: max(clock, self._of.get(worker, -1))
                                           for worker, clock in other.items()}})

    def __le__(self, other: VectorClock) -> bool:
        """Whether `other` holds everything that this holds."""
        return all(other.seen(worker, clock) for worker, clock in self._of.items())

    def __ge__(self, other: VectorClock) -> bool:
        return other <= self

    def __lt__(self, other: VectorClock) -> bool:
        return self <= other and self != other

    def __gt__(self, other: VectorClock) -> bool:
        return other < self

    def concurrent(self, other: VectorClock) -> bool:
        """Whether each holds an update that the other lacks: neither can take the other's place."""
        return not self <= other and not other <= self

    def __eq__(self, other) -> bool:
        return self._of == other._of if isinstance(other, VectorClock) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._of.items()))
        return self._hash

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{worker}: {self._of[worker]}" for worker in sorted(self._of)) + "}"


class RangeClocks:
    """A VectorClock for every key lo <= key < hi, kept for ranges. Keys are whole numbers of any size."""

    def __init__(self, lo: int, hi: int, clock: VectorClock | None = None):
        if not lo <= hi:
            raise ValueError(f"lo={lo}, hi={hi}; lo <= hi is needed")
        self.lo, self.hi = lo, hi
        self._starts = [lo] if lo < hi else []          # ascending; range i ends where the next starts, the last at hi
        self._clocks = [VectorClock() if clock is None else clock] if lo < hi else []

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._starts)

    def at(self, key: int) -> VectorClock:
        """The clock of one key."""
        if not self.lo <= key < self.hi:
            raise ValueError(f"key {key}; {self._allowed()}")
        return self._clocks[bisect_right(self._starts, key) - 1]

    def push(self, lo: int, hi: int, worker: int, clock: int) -> None:
        """A worker updated the keys lo <= key < hi at its clock."""
        update = VectorClock({worker: clock})
        self._each(lo, hi, lambda held: held.merge(update))

    def merge(self, other: RangeClocks) -> None:
        """Take in what another holder of the same keys knows: of each key the merged clock."""
        if (other.lo, other.hi) != (self.lo, self.hi):
            raise ValueError(f"ranges of the keys {other.lo}..{other.hi - 1}; {self._allowed()}")
        for lo, hi, clock in list(other.ranges()):
            self._each(lo, hi, lambda held, clock=clock: held.merge(clock))

    def ranges(self) -> Iterator[tuple[int, int, VectorClock]]:
        """(lo, hi, clock) of every range, ascending; neighbours differ in their clocks."""
        yield from zip(self._starts, [*self._starts[1:], self.hi], self._clocks)

    def _each(self, lo: int, hi: int, change) -> None:
        if not self.lo <= lo <= hi <= self.hi:
            raise ValueError(f"keys {lo}..{hi - 1}; {self._allowed()}")
        if lo == hi:
            return
        first = bisect_right(self._starts, lo) - 1                      # the range that holds lo
        last = bisect_right(self._starts, hi - 1) - 1                   # and the one that holds hi - 1
        end = self._starts[last + 1] if last + 1 < len(self) else self.hi
        starts = [lo, *self._starts[first + 1:last + 1]]
        clocks = [change(held) for held in self._clocks[first:last + 1]]
        if self._starts[first] < lo:                                    # what lies before lo stays as it was
            starts.insert(0, self._starts[first])
            clocks.insert(0, self._clocks[first])
        if hi < end:
            starts.append(hi)
            clocks.append(self._clocks[last])
        if last + 1 < len(self):                                        # the neighbours may be equal now
            starts.append(end)
            clocks.append(self._clocks[last + 1])
            last += 1
        if first > 0:
            first -= 1
            starts.insert(0, self._starts[first])
            clocks.insert(0, self._clocks[first])
        keep = [i for i in range(len(starts)) if not i or clocks[i] != clocks[i - 1]]
        self._starts[first:last + 1] = [starts[i] for i in keep]
        self._clocks[first:last + 1] = [clocks[i] for i in keep]

    def _allowed(self) -> str:
        return f"this holds the keys {self.lo}..{self.hi - 1}" if self.lo < self.hi else "this holds no keys"
