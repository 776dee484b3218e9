"""Pulls through a worker's cache: rows that may be read are not asked for, rows that did not change do not travel.

    pull 2 5 7 8 at clock 5        cache: 2 (good until 6), 5 (good until 4, of step 3), 7 (good until 2, of step 14)

    2 ── good ──────────────────────────────────────────────> read here, nobody is asked
    5 7 8 ──> keys 5 7 8, stamps 3 14 ──> server: 5 changed since step 3, 7 did not since 14, 8 was not there
          <── bits 1 0, rows 5 8, v 17, m 5 ──                5, 7 and 8 are now copies of step 17, good until m + s

`m` is how far the slowest worker was: the rows hold every update stamped below m, so that they satisfy pulls up to
clock m + s. Under BSP that is the round itself; under SSP(s), with all workers in step, a row travels once in s + 1
clocks; under ASP nothing is promised, and each row is asked about every time. A worker's own pushes are taken on its
copies as well, by the same rule (its state, if it has one, travels with the row then): so it reads its own writes.
A server answers a pull without stamps with rows alone, and keeps no versions until the first with stamps comes.

The cache at a client with reads by age is that of Ho et al. (2013, section 4).
"""

from __future__ import annotations

import numpy as np

from .cache import ALWAYS, NEVER, RowCache
from .cache_policy import PolicyRows, check_policies, policy_of
from .dtypes import stored, values_of
from .pulls import PendingPull
from .tables import TableConfig

COUNTS = ("hits", "unasked", "unchanged", "misses", "saved_bytes")


def caches_of(tables: dict, cache_rows: int, cache_policy=None) -> dict[str, CachedTable]:
    """A worker's caches by table; none where cache_rows is 0. cache_policy: see cache_policy.py."""
    check_policies(cache_rows, cache_policy, tables)
    return {name: CachedTable(table.config, cache_rows, cache_policy) for name, table in tables.items() if cache_rows}


class CachedTable:
    """One table's cache at a worker. `counts`: distinct rows pulled by key, and what that saved.

    hits: rows that were here; unasked of them were read without asking, unchanged of them were confirmed; the others
    travelled, as did the misses. saved_bytes: what the same pulls would have cost without a cache, minus what they cost
    (stamps, bits and state included): below 0 where rows change faster than they are read again.
    """

    def __init__(self, config: TableConfig, capacity: int, cache_policy=None):
        self.config, model = config, config.consistency
        self.steps_here = model.steps_on_copies
        most = capacity if config.num_rows is None else min(capacity, config.num_rows)
        self.width = config.rule.new_state(0, config.dim).shape[2]
        sizes = config.dim, config.rule.slots if self.steps_here else 0, self.width, config.dtype
        policy = policy_of(config.name, cache_policy, most)
        self.cache = RowCache(most, *sizes) if policy is None else PolicyRows(policy, *sizes)
        self.counts = dict.fromkeys(COUNTS, 0)
        self._under_way: list[CachedPull] = []

    def pull(self, shape, keys: np.ndarray, inverse, out, target, clock: int) -> CachedPull:
        """Begin a pull of distinct ascending keys: read what may be read; `asked` of the result is what may not."""
        cache = self.cache
        places, used = cache.find(keys), cache.uses(len(keys))
        hit = np.flatnonzero(places >= 0)
        cache.touch(places[hit], used[hit])
        buffer = target if inverse is None and target is not None else np.empty((len(keys), shape[1]), cache.rows.dtype)
        buffer[hit] = cache.rows.take(places[hit], axis=0)
        good = np.zeros(len(keys), bool)
        good[hit] = cache.good[places[hit]] >= clock
        stamps = np.full(len(keys), NEVER)
        stamps[hit] = cache.stamp[places[hit]]
        cache.reserve(keys)
        pull = CachedPull(shape, keys, inverse, out, target, buffer, self, stamps, used, np.flatnonzero(~good))
        row_bytes = 8 + cache.rows.itemsize * self.config.dim
        self.counts["hits"] += len(hit)
        self.counts["misses"] += len(keys) - len(hit)
        self.counts["unasked"] += len(keys) - len(pull.asked)
        self.counts["saved_bytes"] += row_bytes * len(keys)
        if len(pull.asked):
            self._under_way.append(pull)
        return pull

    def pushed(self, keys: np.ndarray | range, vals: np.ndarray, clock: int) -> None:
        """This worker pushes: its copies take the step, and answers under way may lack it."""
        if self.steps_here and (len(self.cache) or self._under_way):
            keys = np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else keys
            if self.config.dtype != "float32":          # as they arrive
                vals = values_of(stored(vals, self.config.dtype), self.config.dtype)
            self.cache.step(self.config.rule, keys, vals, clock + 1)
            self._doubt_answers(keys)

    def assigned(self, keys: np.ndarray | range) -> None:
        """This worker sets rows: nothing known of them holds."""
        keys = np.arange(keys.start, keys.stop, dtype=np.int64) if isinstance(keys, range) else keys
        self.cache.doubt(keys)
        self._doubt_answers(keys)

    def landed(self, pull: CachedPull, at: np.ndarray, changed: np.ndarray, meta: dict, rows, state) -> None:
        """Rows `at` of a pull were answered; changed: which of them came, as `rows`. The others are as they were."""
        if not pull.missing:
            self._under_way.remove(pull)
        until = min(self.config.consistency.good_until(meta["m"]), ALWAYS)
        keys, came, same = pull.keys[at], np.flatnonzero(changed), np.flatnonzero(~changed)
        good = np.full(len(at), until, np.int64)
        if pull.doubtful:
            good[np.isin(keys, np.concatenate(pull.doubtful))] = NEVER
        self.counts["unchanged"] += len(same)
        self.cache.confirm(keys[same], meta["v"], good[same])
        # Rows that are new here come in ascending order, behind changed copies; of these, one that left the cache
        # meanwhile is older than all that is in it now, and does not return.
        self.cache.put(keys[came], rows, state, meta["v"], good[came], pull.used[at][came])

    def dropped(self, pull: CachedPull) -> None:
        """A server refused part of a pull: nothing more comes of it."""
        self._under_way.remove(pull)

    def _doubt_answers(self, keys: np.ndarray) -> None:
        for pull in self._under_way:
            pull.doubtful.append(keys)


class CachedPull(PendingPull):
    """A pull of which the rows `asked` (positions among its distinct keys) were not to be read from the cache."""

    def __init__(self, shape, keys: np.ndarray, inverse, out, target, buffer: np.ndarray, table: CachedTable,
                 stamps: np.ndarray, used: np.ndarray, asked: np.ndarray):
        super().__init__(shape, len(keys), inverse, out, target, 0, table.config.dtype)
        self.keys, self.buffer, self.table = keys, buffer, table
        self.stamps, self.used, self.asked = stamps, used, asked
        self.doubtful: list[np.ndarray] = []

    def pieces(self, partition) -> list[tuple]:
        """(server, positions, keys, [stamps]) for every server concerned: rows with a copy here first."""
        pieces = []
        for server, at in partition.split(self.keys[self.asked]):
            positions = self.asked[at]
            known = self.stamps[positions] >= 0
            positions = np.concatenate([positions[known], positions[~known]])
            stamps = self.stamps[positions[:known.sum()]]
            self.table.counts["saved_bytes"] -= 8 * len(positions) + stamps.nbytes
            pieces.append((server, positions, self.keys[positions], [stamps]))
        self.missing = len(pieces)
        return pieces

    def land(self, at: np.ndarray, mail) -> tuple[int, int]:
        bits, rows, *state = mail.views()
        known = int((self.stamps[at] >= 0).sum())
        changed = np.ones(len(at), bool)
        changed[:known] = np.unpackbits(bits, count=known)
        self.buffer[at[changed]] = rows
        self.missing -= 1
        vals_bytes = rows.nbytes + sum(array.nbytes for array in state)
        self.table.counts["saved_bytes"] -= bits.nbytes + vals_bytes
        none = np.empty((0, len(rows), self.table.width), np.float32)
        self.table.landed(self, at, changed, mail.meta, rows, state[0] if state else none)
        counts = bits.nbytes, vals_bytes
        mail.release()
        return counts

    def drop(self) -> None:
        self.table.dropped(self)
