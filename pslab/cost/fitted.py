"""A world that was measured: its α and β, and by how much each algorithm departs from them there.

    seconds of an algorithm  =  what α and β predict (predict.py)  ×  a factor that was measured

    factor │ ●──●                                    ring           in the simulator every factor is 1: links are all
         2 │      \\●                                                 that costs time there
         1 │────────●───●──●────  halving_doubling                   in real processes it is not: sums take time,
           └──┬──┬──┬───┬──┬───── bytes (logarithmic)                 memory is shared, ranks take turns on cores

Of algorithms within 5 % of the fastest the first of ALL_REDUCES is taken, not the one that chance made the fastest.

That is the departure from the pure α–β model, and it is one number a size and algorithm: without it two algorithms of
the same formula (with K = 2 the ring and halving–doubling) could not differ, and more ranks than cores would not show.
Between the sizes that were measured a factor is interpolated, both in logarithms; beyond them the nearest one holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log

from .fitting import AlphaBeta
from .ports import check_count
from .predict import ALL_REDUCES, Fastest, all_reduce_s

AS_FAST = 1.05                                           # what measured times tell apart

Points = Sequence[tuple[int, float]]                     # (bytes, factor), bytes ascending


@dataclass(frozen=True)
class Fitted:
    """`link`: α and β of a message. `factors[algorithm]`: measured over predicted, by size, with `K` ranks.

    An algorithm without factors counts as the formula has it, and so do all with another number of ranks than K; but
    where factors are known only algorithms that have them are candidates: a formula that leaves things out looks better
    than any measured time.
    """

    link: AlphaBeta
    K: int
    factors: Mapping[str, Points] = field(default_factory=dict)
    _chosen: dict = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        check_count("K", self.K, 1)
        for name, points in self.factors.items():
            sizes = [size for size, _ in points]
            if name not in ALL_REDUCES:
                raise ValueError(f"factors has {name!r}; allowed: {', '.join(ALL_REDUCES)}")
            if not sizes or sizes != sorted(set(sizes)) or not all(factor > 0 for _, factor in points):
                raise ValueError(f"factors[{name!r}]={points!r}; pairs of (bytes, factor above 0) are needed, one or "
                                 f"more, sorted by bytes")

    def seconds(self, algorithm: str, elements: int, K: int | None = None, itemsize: int = 4) -> float:
        """Predicted seconds of an all-reduce of `elements` numbers of `itemsize` bytes; K: this world's, if None."""
        K = self.K if K is None else K
        predicted_s = all_reduce_s(algorithm, elements, K, self.link, itemsize)
        points = self.factors.get(algorithm) if K == self.K else None
        return predicted_s * (interpolated(points, elements * itemsize) if points else 1.0)

    def fastest(self, elements: int, K: int | None = None, itemsize: int = 4) -> Fastest:
        """The algorithm that `auto` takes, and the predicted seconds of all candidates, in the order of ALL_REDUCES."""
        K = self.K if K is None else K
        key = elements, K, itemsize
        if key not in self._chosen:
            measured = self.factors if K == self.K else {}
            seconds = {name: self.seconds(name, elements, K, itemsize) for name in ALL_REDUCES
                       if not measured or name in measured}
            enough_s = min(seconds.values()) * (AS_FAST if measured else 1)
            if len(self._chosen) >= 4096:                # many lengths, each once: no reason to remember them
                self._chosen.clear()
            name = next(name for name, each_s in seconds.items() if each_s <= enough_s)
            self._chosen[key] = Fastest(name, seconds)
        return self._chosen[key]

    def switches(self, from_bytes: int = 1 << 10, to_bytes: int = 1 << 26, K: int | None = None,
                 itemsize: int = 4) -> list[tuple[int, str]]:
        """[(bytes, algorithm)]: from so many bytes on `auto` takes this one; to within 2 % of the size."""
        found: list[tuple[int, str]] = []
        size = check_count("from_bytes", from_bytes, itemsize)
        while size <= check_count("to_bytes", to_bytes):
            name = self.fastest(size // itemsize, K, itemsize).algorithm
            if not found or found[-1][1] != name:
                found.append((size, name))
            size = max(size + itemsize, size * 51 // 50 // itemsize * itemsize)
        return found


def interpolated(points: Points, size: float) -> float:
    """The factor at `size` bytes: a straight line between neighbours, in logarithms of both; the nearest beyond."""
    sizes = [known for known, _ in points]
    right = bisect_left(sizes, size)
    if right == 0 or right == len(points):
        return points[min(right, len(points) - 1)][1]
    (n0, f0), (n1, f1) = points[right - 1], points[right]
    if n0 <= 0 or f0 == f1:
        return f1
    share = (log(size) - log(n0)) / (log(n1) - log(n0))
    return exp(log(f0) + share * (log(f1) - log(f0)))
