"""One table, several consistency models: each range of keys keeps the promise of its own.

    PerRange([(0, 1000, BSP()), (1000, None, SSP(3))])

    key       0 ............ 999 | 1000 ..................
    model     BSP                | SSP(3)                     a push is cut at 1000: one part waits for its round,
                                                              the other is a step at once
    a pull of keys below 1000 waits for BSP, at the server; one of the others for SSP(3); one of both for BSP
    clock() waits as the loosest range does: who needs no exact rows just now is not held up by them

So rows that many workers need exactly can be kept exact, while the long tail of the same table runs ahead. The OSDI'14
server lets dependencies of tasks say what waits; ranges of keys with a model each are our way to say the same. A pull
lacks no more than its own range allows; what it sees beyond that may be as new as the loosest range allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .consistency import ASP, BSP, SSP, Consistency


@dataclass(frozen=True)
class PerRange(Consistency):
    """ranges: (lo, hi, model) for lo <= key < hi, ascending and without gaps; lo None: from the first key, hi None: to
    the last. Models: BSP(), SSP(s), ASP().
    """

    ranges: tuple[tuple[int | None, int | None, Consistency], ...]

    def __init__(self, ranges: Sequence[tuple]):
        kept = []
        for entry in ranges:
            if not isinstance(entry, (tuple, list)) or len(entry) != 3:
                raise ValueError(f"ranges holds {entry!r}; (lo, hi, model) is needed")
            lo, hi, model = entry
            for bound in (lo, hi):
                if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
                    raise ValueError(f"ranges holds the bound {bound!r}; a whole number or None is needed")
            if not isinstance(model, (BSP, SSP, ASP)) or model.backup:
                raise ValueError(f"ranges holds the model {model!r}; BSP(), SSP(s) and ASP() can share a table")
            kept.append((lo, hi, model))
        if not kept:
            raise ValueError("ranges is empty; at least one (lo, hi, model) is needed")
        ends = [end for lo, hi, _ in kept for end in (lo, hi)]
        if None in ends[1:-1] or ends[1:-1:2] != ends[2:-1:2]:
            raise ValueError(f"ranges={kept}; each must begin where the one before ends, at a number")
        starts = [end for end in ends[::2] if end is not None] + ([ends[-1]] if ends[-1] is not None else [])
        if any(lo >= hi for lo, hi in pairwise(starts)):
            raise ValueError(f"ranges={kept}; lo < hi is needed")
        object.__setattr__(self, "ranges", tuple(kept))

    @property
    def staleness(self) -> float:
        """Of the loosest range: what clock() waits for. Pulls wait for that of the keys they touch."""
        return max(model.staleness for _, _, model in self.ranges)

    @property
    def reads_own(self) -> bool:
        return any(model.reads_own for _, _, model in self.ranges)

    def good_until(self, min_clock: int) -> float:
        return -1                       # copies are asked about every time

    def check(self, config, num_workers):
        lo, hi = self.ranges[0][0], self.ranges[-1][1]
        if config.num_rows is not None and ((lo or 0) > 0 or (hi is not None and hi < config.num_rows)):
            raise ValueError(f"table {config.name!r}: ranges cover the keys {lo or 0}..{hi - 1 if hi else 'end'}; all "
                             f"of 0..{config.num_rows - 1} must be in one")
        if config.num_rows is None and (lo is not None or hi is not None):
            raise ValueError(f"table {config.name!r} has no end (num_rows=None): the first range must begin with None "
                             f"and the last end with None")

    def at(self, key: int) -> Consistency:
        """The model of one key."""
        return next(model for _, hi, model in self.ranges if hi is None or key < hi)

    def over(self, keys: range | np.ndarray) -> Consistency:
        """The strictest model that these keys touch; keys ascending."""
        return min((self.ranges[number][2] for number, _ in self.split(keys)), key=lambda model: model.staleness)

    def split(self, keys: range | np.ndarray) -> Iterator[tuple[int, slice]]:
        """(number of the range, which of the keys lie in it); keys ascending."""
        first = 0
        for number, (_, hi, _) in enumerate(self.ranges):
            if hi is None:
                stop = len(keys)
            elif isinstance(keys, range):
                stop = min(max(hi - keys.start, 0), len(keys))
            else:
                stop = int(np.searchsorted(keys, hi))
            if stop > first:
                yield number, slice(first, stop)
            first = max(first, stop)
