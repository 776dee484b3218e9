"""A table without a fixed vocabulary: an id gets a row when it has been seen often enough, and may lose it again.

    id ── seen n times? ── no ──> the default row, shared by all that have none (zeros, or learned)
              │ yes
              v      full? the row that was seen longest ago, or least often, goes; or nobody gets in
           its own row, drawn from (seed, name, id), with a fresh state of the rule ── unseen for ttl_steps? ──> gone

One `lookup` is one step, in this order: rows that were not seen in the last ttl_steps steps go, even if this batch asks
for them; every id's sights are counted; ids with admit_after sights and no row get one, those with most sights first,
equal ones by id. A row that this batch asks for is never evicted by it; if there is no other, ids stay on the default
row (`stats.refused`) and try again when they are next seen. An evicted id begins anew: no sights, first values, fresh
state; the place of its row is used again. What a table does depends on its batches alone, not on their inner order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from pslab.ps import SGD, Init, Rule, Uniform

from .compressed.bag import check_ids, check_update, check_whole, summed
from .fused import DEFAULT_INIT_SCALE
from .growing_sights import CountMin, ExactSights
from .growing_slots import Slots

POLICIES = ("recency", "frequency", None)
DEFAULTS = ("zeros", "learned")


@dataclass
class GrowingStats:
    """What has happened since the table was made. Counted once an id and step, but for steps and updates.

    refused: ids that had the sights and found no room. default_reads: ids of a lookup that had no row. dropped: ids
    whose gradient went nowhere, as they had no row and the default row is zeros.
    """

    steps: int = 0
    updates: int = 0
    admitted: int = 0
    evicted: int = 0
    expired: int = 0
    refused: int = 0
    default_reads: int = 0
    dropped: int = 0


class GrowingTable:
    """Rows of `dim` float32 values for at most `capacity` ids (any int64; None: no limit) at a time.

    admit_after: sights an id needs for a row of its own; sights: ExactSights() or a CountMin. evict: whose row goes
    when the table is full: "recency" the one seen longest ago, "frequency" the one with the fewest sights since it was
    first seen (equal: longest ago), ties to the smaller id; None: nobody's. ttl_steps: rows that were not seen for more
    steps go in any case; None: never. default: "zeros", or "learned": a row that begins at zeros and gets the gradients
    of all ids that have none. rule, init, seed, name: as of a table of pslab.ps.
    """

    def __init__(self, dim: int, capacity: int | None = None, *, admit_after: int = 1, evict: str | None = "recency",
                 ttl_steps: int | None = None, sights=None, default: str = "zeros", rule: Rule | None = None,
                 init: Init | None = None, seed: int = 0, name: str = ""):
        check_whole("dim", dim)
        check_whole("admit_after", admit_after)
        for argument, value in (("capacity", capacity), ("ttl_steps", ttl_steps)):
            if value is not None:
                check_whole(argument, value)
        for argument, value, allowed in (("evict", evict, POLICIES), ("default", default, DEFAULTS)):
            if value not in allowed:
                raise ValueError(f"{argument}={value!r}; allowed: {', '.join(map(repr, allowed))}")
        self.dim, self.capacity, self.admit_after, self.evict = dim, capacity, admit_after, evict
        self.ttl_steps, self.default, self.name = ttl_steps, default, name
        self.rule = SGD(0.1) if rule is None else rule
        self.init = Uniform(DEFAULT_INIT_SCALE, seed) if init is None else init
        for argument, value, kind in (("rule", self.rule, Rule), ("init", self.init, Init)):
            if not isinstance(value, kind):
                raise ValueError(f"{argument}={value!r}; a {kind.__name__} of pslab.ps is needed")
        if sights is not None and not isinstance(sights, (ExactSights, CountMin)):
            raise ValueError(f"sights={sights!r}; ExactSights(), a CountMin or None is needed")
        self.sights = ExactSights() if sights is None else sights
        self._slots = Slots(dim, capacity, self.rule)
        self.default_row = np.zeros((1, dim), np.float32)
        self._default_state = self.rule.new_state(1, dim)
        self.stats = GrowingStats()

    def __len__(self) -> int:
        """Ids that have a row."""
        return len(self._slots)

    def __contains__(self, key: int) -> bool:
        return key in self._slots.of

    @property
    def ids(self) -> np.ndarray:
        """(n,) the ids that have a row, ascending."""
        return self._slots.ids()

    def lookup(self, ids, counts=None) -> np.ndarray:
        """One step: count, let go, admit; then (n, dim) the row of each id, the default row for those without.

        ids (n,), in which every occurrence is a sight; or distinct ids with counts (n,) from 1, how often each occurs.
        """
        ids = _as_ids(ids)
        if counts is None:
            distinct, counts = np.unique(ids, return_counts=True)
        else:
            distinct, counts = ids, np.asarray(counts)
            if counts.shape != ids.shape or counts.dtype.kind not in "iu" or (counts < 1).any():
                raise ValueError(f"counts of shape {list(counts.shape)} and type {counts.dtype}; a whole number from 1 "
                                 f"for each of {len(ids)} ids is needed")
            if len(np.unique(ids)) != len(ids):
                raise ValueError("ids with counts hold an id twice; distinct ids are needed")
        self._step(distinct, counts.astype(np.int64))
        self.stats.default_reads += int((self._slots.find(distinct) < 0).sum())
        return self.read(ids)

    def read(self, ids) -> np.ndarray:
        """(n, dim) as lookup gives it, without a step: nothing is counted, admitted or evicted."""
        places = self._slots.find(_as_ids(ids))
        rows = self._slots.rows[places]                         # -1, the last place, is replaced
        rows[places < 0] = self.default_row
        return rows

    def update(self, ids, grads) -> None:
        """One step of the rule on the rows of ids (n,), gradients (n, dim); those of equal ids are summed first.

        Gradients of ids without a row, summed, are one step of the default row if that is learned, else dropped.
        """
        ids, grads = summed(*check_update(ids, grads, self.dim, None))
        places = self._slots.find(ids)
        has = places >= 0
        self.stats.updates += 1
        if has.any():
            self._slots.apply(self.rule, places[has], grads[has], self.stats.updates)
        if has.all():
            return
        if self.default == "learned":
            self.rule.step(self.default_row, grads[~has].sum(axis=0, keepdims=True), self._default_state,
                           self.stats.updates)
        else:
            self.stats.dropped += int((~has).sum())

    def bytes(self) -> int:
        """Bytes of the rows there is room for so far, and of the default row."""
        return self._slots.rows.nbytes + self.default_row.nbytes

    def state_bytes(self) -> int:
        """Bytes of the rule's state beside them."""
        return self._slots.state.nbytes + self._default_state.nbytes

    def index_bytes(self) -> int:
        """Bytes of id, sights and time of each row. Not in it: the dictionary from id to place, and `sights`."""
        return self._slots.index_nbytes

    def state_dict(self) -> dict:
        """Everything, as arrays, ids ascending: what load_state_dict needs to go on exactly from here."""
        return {"dim": self.dim, "state_names": list(self.rule.state_names), "default": self.default,
                **self._slots.state_dict(), "default_row": self.default_row.copy(),
                "default_state": self._default_state.copy(), "sights": self.sights.state_dict(),
                "stats": asdict(self.stats)}

    def load_state_dict(self, state: dict) -> None:
        """Take over the state of another table of the same dim, rule, default and sights, and no more ids than fit."""
        own = {"dim": self.dim, "state_names": list(self.rule.state_names), "default": self.default}
        for key, value in own.items():
            if state.get(key) != value:
                raise ValueError(f"state has {key}={state.get(key)!r}; this table has {value!r}")
        if self.capacity is not None and len(state["ids"]) > self.capacity:
            raise ValueError(f"state holds {len(state['ids'])} rows; this table has capacity={self.capacity}")
        self.sights.load_state_dict(state["sights"])            # first: it may refuse
        self._slots = Slots(self.dim, self.capacity, self.rule)
        self._slots.load_state_dict(state)
        self.default_row, self._default_state = state["default_row"].copy(), state["default_state"].copy()
        self.stats = GrowingStats(**state["stats"])

    # ---- a step ----------------------------------------------------------------------------------------------------

    def _step(self, ids: np.ndarray, counts: np.ndarray) -> None:
        slots, stats = self._slots, self.stats
        stats.steps += 1
        if self.ttl_steps is not None:
            stats.expired += slots.release(slots.seen_before(stats.steps - self.ttl_steps))
        places = slots.find(ids)
        here = places >= 0
        slots.see(places[here], counts[here], stats.steps)
        new, seen = ids[~here], self.sights.add(ids[~here], counts[~here])
        ready = seen >= self.admit_after
        new, seen = new[ready], seen[ready]
        order = np.lexsort((new, -seen))
        free = len(new) if self.capacity is None else self.capacity - len(slots)
        room = free if self.evict is None else free + len(slots) - int(here.sum())
        stats.refused += max(0, len(new) - room)
        chosen = order[:room]
        if len(chosen) > free:
            stats.evicted += slots.release(slots.victims(len(chosen) - free, self.evict, stats.steps))
        new, seen = new[chosen], seen[chosen]
        slots.admit(new, seen, stats.steps, self.init.rows(new, self.dim, self.name))
        self.sights.forget(new)
        stats.admitted += len(new)


def _as_ids(ids) -> np.ndarray:
    import torch

    ids = torch.as_tensor(ids)
    check_ids(ids, None)
    if ids.dim() != 1:
        raise ValueError(f"ids have shape {list(ids.shape)}; (n,) is needed")
    return ids.numpy().astype(np.int64, copy=False)
