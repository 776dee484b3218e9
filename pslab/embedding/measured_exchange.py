"""Rows sharded over the ranks that use them, as plainly as it can be written: what the cost model is measured on.

    pull(ids)        distinct? ── not fresh in the cache? ──ids──> owner r mod K ──rows──> cache ──> rows in order
    push(ids, g)     distinct? (summed) ──ids, gradients──> owner: equal rows summed, one step of the rule

Each of dedup, cache and wire can be switched off and on, so that a ledger shows what each of them saves. Reads by age:
a row that was fetched in round c may be read until round c + s; with s = 0 a cache never answers. A copy is as the
owner had it when it was fetched: own gradients show in it when it is fetched again.
For use, see ShardedEmbeddingBagCollection; this is for measuring and for reading.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.collectives import all_to_all
from pslab.comm import Comm
from pslab.ps import Rule

from .sharding.wire import wires


class RowExchange:
    """R rows of D float32, row r on rank r mod K. Every rank calls pull, push and next_round in the same order.

    rows: (R, D) first values, the same on all ranks; each keeps its own. dedup: equal ids of a call travel once.
    cache_rows: of other ranks' rows, how many are kept here, the least recently used leaving; staleness: s.
    wire: of rows and gradients, "fp32", "fp16", "int8" (D + 8 bytes a row), or a pair.
    """

    def __init__(self, comm: Comm, rows: np.ndarray, rule: Rule, *, dedup: bool = True, cache_rows: int = 0,
                 staleness: int = 0, wire="fp32"):
        if cache_rows and not dedup:
            raise ValueError(f"cache_rows={cache_rows} with dedup=False; a cache needs dedup=True")
        for argument, value in (("cache_rows", cache_rows), ("staleness", staleness)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{argument}={value!r}; a whole number from 0 is needed")
        self.comm, self.rule, self.dedup = comm, rule, dedup
        self.cache_rows, self.staleness = cache_rows, staleness
        self._row_wire, self._grad_wire = wires(wire)
        self.num_rows, self.dim = rows.shape
        self.own = np.ascontiguousarray(rows[comm.rank::comm.world_size], np.float32)
        self._state = rule.new_state(*self.own.shape)
        self.round = 0
        self.lookups = self.asked_rows = self.pushed_rows = 0               # the last two: of other ranks' rows
        self._here = np.full(self.num_rows, -1)             # round in which a row was fetched, -1: not in the cache
        self._used, self._uses = np.zeros(self.num_rows, np.int64), 0
        # a place for every row, of which cache_rows are in use: simpler to read than slots, and no less exact to count
        self._copies = np.zeros((self.num_rows if cache_rows else 0, self.dim), np.float32)

    def pull(self, ids: np.ndarray) -> np.ndarray:
        """(n, D) rows of ids (n,) int64, in their order."""
        K, rank = self.comm.world_size, self.comm.rank
        wanted, place = np.unique(ids, return_inverse=True) if self.dedup else (ids, np.arange(len(ids)))
        self.lookups += len(ids)
        rows = np.empty((len(wanted), self.dim), np.float32)
        home, fresh = wanted % K == rank, self._fresh(wanted)
        rows[home] = self.own[wanted[home] // K]
        rows[fresh] = self._copies[wanted[fresh]] if fresh.any() else 0
        asks = [np.flatnonzero(~home & ~fresh & (wanted % K == owner)) for owner in range(K)]
        asked = all_to_all(self.comm, [torch.from_numpy(wanted[at]) for at in asks])
        answers = [self._row_wire.encode(torch.from_numpy(self.own[part.numpy() // K])) for part in asked]
        for at, answer in zip(asks, all_to_all(self.comm, answers)):
            if len(at):
                rows[at] = self._row_wire.decode(answer, self.dim).numpy()
                self.asked_rows += len(at)
        self._keep(wanted[~home], rows[~home], fresh[~home])
        return rows[place.reshape(-1)]

    def push(self, ids: np.ndarray, grads: np.ndarray) -> None:
        """Gradients (n, D) for ids (n,): of all ranks together, one step of the rule on each row that is named."""
        K = self.comm.world_size
        if self.dedup:
            ids, grads = summed(ids, grads)
        to = [np.flatnonzero(ids % K == owner) for owner in range(K)]
        self.pushed_rows += len(ids) - len(to[self.comm.rank])
        given = all_to_all(self.comm, [torch.from_numpy(ids[at]) for at in to])
        parts = [torch.from_numpy(np.ascontiguousarray(grads[at], np.float32)) for at in to]
        coded = [self._grad_wire.encode(part) for part in parts]
        came = [self._grad_wire.decode(part, self.dim) for part in all_to_all(self.comm, coded)]
        named, sums = summed(np.concatenate([part.numpy() for part in given]),
                             np.concatenate([part.numpy() for part in came]))
        if len(named):
            mine = named // K
            rows, state = self.own[mine], self._state[:, mine]
            self.rule.step(rows, sums, state, self.round + 1)
            self.own[mine], self._state[:, mine] = rows, state

    def next_round(self) -> None:
        """One round is over: copies are a round older."""
        self.round += 1

    @property
    def id_bytes(self) -> int:
        """Ids of 8 bytes that this rank sent, with its asks and with its pushes."""
        return 8 * (self.asked_rows + self.pushed_rows)

    def _fresh(self, ids: np.ndarray) -> np.ndarray:
        if not (self.cache_rows and self.staleness):
            return np.zeros(len(ids), bool)
        return (self._here[ids] >= 0) & (self._here[ids] + self.staleness >= self.round)

    def _keep(self, ids: np.ndarray, rows: np.ndarray, fresh: np.ndarray) -> None:
        """What was just read is the youngest; beyond the capacity the oldest leave."""
        if not self.cache_rows:
            return
        self._copies[ids[~fresh]], self._here[ids[~fresh]] = rows[~fresh], self.round
        self._used[ids] = self._uses + np.arange(len(ids))
        self._uses += len(ids)
        here = np.flatnonzero(self._here >= 0)
        if len(here) > self.cache_rows:
            excess = len(here) - self.cache_rows
            self._here[here[np.argpartition(self._used[here], excess - 1)[:excess]]] = -1


def summed(ids: np.ndarray, grads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distinct ids, the sums of their gradients), in the order in which they stand."""
    order = np.argsort(ids, kind="stable")
    named, first = np.unique(ids[order], return_index=True)
    if not len(named):
        return named, grads[:0].astype(np.float32)
    return named, np.add.reduceat(grads[order], first, axis=0).astype(np.float32, copy=False)
