"""The rows of a growing table: places that ids take, leave, and take again.

    place      0     1     2     3          of   {7: 0, 12: 2}       free   [3, 1]
    id         7     -    12     -
    rows       row   .    row    .          and beside each: the rule's state, sights, the step it was last seen in
"""

from __future__ import annotations

import numpy as np

from pslab.ps import Rule

_FIRST_PLACES = 1024


class Slots:
    """Rows, state, sights (`counts`) and times (`last`) by place; `of` says which id has which."""

    def __init__(self, dim: int, capacity: int | None, rule: Rule):
        self._capacity, self._rule = capacity, rule
        places = _FIRST_PLACES if capacity is None else min(capacity, _FIRST_PLACES)
        self.of: dict[int, int] = {}
        self._id, self._taken = np.zeros(places, np.int64), np.zeros(places, bool)
        self.counts, self.last = np.zeros(places, np.int64), np.zeros(places, np.int64)
        self.rows, self.state = np.zeros((places, dim), np.float32), rule.new_state(places, dim)
        self._free = list(range(places - 1, -1, -1))

    def __len__(self) -> int:
        return len(self.of)

    @property
    def index_nbytes(self) -> int:
        return sum(array.nbytes for array in (self._id, self._taken, self.counts, self.last))

    def ids(self) -> np.ndarray:
        return np.array(sorted(self.of), np.int64)

    def find(self, ids: np.ndarray) -> np.ndarray:
        """(n,) the place of each id, -1 where it has none."""
        of = self.of
        return np.array([of.get(key, -1) for key in ids.tolist()], np.int64)

    def see(self, places: np.ndarray, counts: np.ndarray, step: int) -> None:
        """These rows were asked for in this step, `counts` times each."""
        self.counts[places] += counts
        self.last[places] = step

    def admit(self, ids: np.ndarray, counts: np.ndarray, step: int, rows: np.ndarray, state=None) -> None:
        """Rows for new ids, with a fresh state of the rule where none is given."""
        self._make_room(len(ids))
        places = np.array([self._free.pop() for _ in range(len(ids))], np.int64)
        self.of.update(zip(ids.tolist(), places.tolist()))
        self._id[places], self._taken[places] = ids, True
        self.counts[places], self.last[places], self.rows[places] = counts, step, rows
        self.state[:, places] = self._rule.new_state(len(ids), self.rows.shape[1]) if state is None else state

    def release(self, places: np.ndarray) -> int:
        """These rows go; how many they are."""
        for place, key in zip(places.tolist(), self._id[places].tolist()):
            del self.of[key]
            self._free.append(place)
        self._taken[places] = False
        return len(places)

    def seen_before(self, step: int) -> np.ndarray:
        """Places of rows that were last seen before `step`."""
        return (self._taken & (self.last < step)).nonzero()[0]

    def victims(self, count: int, policy: str, step: int) -> np.ndarray:
        """Places of the `count` rows that go first, none of those seen in this step."""
        places = self.seen_before(step)
        first = (self.last if policy == "recency" else self.counts)[places]
        # Sorting is for the few that may be chosen: a full sort of a million places at every step costs 0.1 s.
        places = places[first <= np.partition(first, count - 1)[count - 1]]
        keys = (self._id[places], self.last[places], self.counts[places])
        return places[np.lexsort(keys[:2] if policy == "recency" else keys)[:count]]

    def apply(self, rule: Rule, places: np.ndarray, grads: np.ndarray, t: int) -> None:
        """One step of the rule on these rows."""
        rows, state = self.rows[places], self.state[:, places]
        rule.step(rows, grads, state, t)
        self.rows[places], self.state[:, places] = rows, state

    def state_dict(self) -> dict:
        ids = self.ids()
        places = self.find(ids)
        return {"ids": ids, "rows": self.rows[places], "state": self.state[:, places], "counts": self.counts[places],
                "last_seen": self.last[places]}

    def load_state_dict(self, state: dict) -> None:
        """Into new Slots."""
        self.admit(state["ids"], state["counts"], state["last_seen"], state["rows"], state["state"])

    def _make_room(self, more: int) -> None:
        have = len(self._id)
        if more <= len(self._free):
            return
        places = max(2 * have, len(self.of) + more)
        places = places if self._capacity is None else min(places, self._capacity)
        for name in ("_id", "_taken", "counts", "last"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros(places - have, array.dtype)]))
        dim = self.rows.shape[1]
        self.rows = np.concatenate([self.rows, np.zeros((places - have, dim), np.float32)])
        self.state = np.concatenate([self.state, self._rule.new_state(places - have, dim)], axis=1)
        self._free[:0] = range(places - 1, have - 1, -1)
