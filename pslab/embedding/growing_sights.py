"""How often has an id without a row been seen? Exactly, or in a fixed number of bytes.

    ExactSights    {id: sights}                        grows with every id that is seen and never admitted
    CountMin       depth rows of width counters, a hash for each row; an id adds to one counter a row
                   id 7 ──> [ . +1  .  .  . ]
                        ──> [ .  .  . +1  . ]          its estimate: the smallest of its counters
                        ──> [ +1 .  .  .  . ]

An estimate is never too small. It is too large by more than (e / width) · N with a probability of at most e^-depth, N
being all sights counted so far (Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005).
So with a sketch an id may get its row too early, and never too late.
"""

from __future__ import annotations

from math import e, exp

import numpy as np

from .compressed.bag import check_whole
from .compressed.hashing import stable_hash


class ExactSights:
    """A counter for every id that has been seen and has no row."""

    def __init__(self):
        self._sights: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sights)

    def add(self, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Add counts (n,) to distinct ids (n,); (n,) how often each has been seen now."""
        sights = self._sights
        for key, count in zip(ids.tolist(), counts.tolist()):
            sights[key] = sights.get(key, 0) + count
        return np.array([sights[key] for key in ids.tolist()], np.int64)

    def forget(self, ids: np.ndarray) -> None:
        """These have a row now: their counters go."""
        for key in ids.tolist():
            self._sights.pop(key, None)

    def state_dict(self) -> dict:
        ids = np.array(sorted(self._sights), np.int64)
        return {"kind": "exact", "ids": ids, "counts": np.array([self._sights[i] for i in ids.tolist()], np.int64)}

    def load_state_dict(self, state: dict) -> None:
        _check_kind(state, "exact")
        self._sights = dict(zip(state["ids"].tolist(), state["counts"].tolist()))


class CountMin:
    """A sketch of width · depth counters of 8 bytes. Nothing is forgotten: an id that lost its row is known still."""

    def __init__(self, width: int, depth: int = 4, seed: int = 0):
        check_whole("width", width)
        check_whole("depth", depth)
        check_whole("seed", seed, 0)
        self.width, self.depth, self.seed, self.total = width, depth, seed, 0
        self._counters = np.zeros((depth, width), np.int64)

    def add(self, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Add counts (n,) to distinct ids (n,); (n,) estimates, made when all have been added."""
        places = [self._places(ids, row) for row in range(self.depth)]
        for row, place in enumerate(places):
            np.add.at(self._counters[row], place, counts)
        self.total += int(counts.sum())
        return np.min([self._counters[row][place] for row, place in enumerate(places)], axis=0).astype(np.int64)

    def forget(self, ids: np.ndarray) -> None:
        """A sketch cannot: other ids use the same counters."""

    def bound(self) -> tuple[float, float]:
        """(excess, probability): an estimate is too large by more than `excess` with at most that probability."""
        return e / self.width * self.total, exp(-self.depth)

    @property
    def nbytes(self) -> int:
        return self._counters.nbytes

    def state_dict(self) -> dict:
        return {"kind": "count-min", "shape": [self.depth, self.width, self.seed], "total": self.total,
                "counters": self._counters.copy()}

    def load_state_dict(self, state: dict) -> None:
        _check_kind(state, "count-min")
        if list(state["shape"]) != [self.depth, self.width, self.seed]:
            raise ValueError(f"state holds a sketch of depth, width, seed {list(state['shape'])}; this one has "
                             f"{[self.depth, self.width, self.seed]}")
        self.total, self._counters = int(state["total"]), np.array(state["counters"], np.int64)

    def _places(self, ids: np.ndarray, row: int) -> np.ndarray:
        return (stable_hash(ids, self.seed * 1000 + row) % np.uint64(self.width)).view(np.int64)


def _check_kind(state: dict, kind: str) -> None:
    if state.get("kind") != kind:
        raise ValueError(f"state holds sights of kind {state.get('kind')!r}; this table counts {kind!r}")
