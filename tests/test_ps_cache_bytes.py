"""A worker's cache under each policy: the same rows, hits that are those of the policy, and bytes that are 1 - h."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from ps_cached_jobs import DIM, ROWS, draw, run, same_reads, table

from pslab.comm import SimWorld
from pslab.embedding.caches import CLOCK, FIFO, LFU, LRU, Belady, LookAhead, StaticTopK
from pslab.ps import BSP, SGD, SSP, KVWorker, TableConfig, consistency_of
from pslab.ps.cache_policy import PolicyRows

FAVOURITES = {"t": lambda rows: StaticTopK(range(rows))}        # Zipf: the small keys
POLICIES = {"lru here": None, "lru": LRU, "fifo": FIFO, "clock": CLOCK, "lfu": LFU, "fixed": FAVOURITES,
            "ahead": LookAhead}


def settings(policy, rows):
    return {"cache_rows": rows, "cache_policy": POLICIES[policy]}


def valid_hits(ran, workers):
    """(hits that made a row not travel, distinct rows asked for), of all workers."""
    counts = [ran.results[worker]["cache"]["t"] for worker in range(workers)]
    assert all(c["hits"] >= c["unasked"] + c["unchanged"] for c in counts)
    return sum(c["unasked"] + c["unchanged"] for c in counts), sum(c["hits"] + c["misses"] for c in counts)


# ---- rows -----------------------------------------------------------------------------------------------------------


@cache
def uncached():
    return run(table(BSP()), {}, 5)


@pytest.mark.parametrize("policy", ["clock", "lfu", "fixed", "ahead"])
def test_under_bsp_every_policy_reads_what_no_cache_reads_bit_for_bit(policy):
    """Batches of up to 15 keys, two pulls under way: also in caches smaller than a batch."""
    plain = uncached()
    for rows in (1, 7):
        cached = run(table(BSP()), settings(policy, rows), 5)
        assert same_reads(plain, cached, 3)
        assert all(np.array_equal(plain.results[server]["rows"]["t"], cached.results[server]["rows"]["t"])
                   for server in (3, 4))


@pytest.mark.parametrize("policy", ["fifo", "lfu", "fixed"])
def test_alone_under_ssp_copies_take_ones_own_steps(policy):
    for rows in (3, ROWS):
        plain, cached = [run(table(SSP(3)), given, 1, 1) for given in ({}, settings(policy, rows))]
        assert same_reads(plain, cached, 1)
        assert cached.results[0]["cache"]["t"]["unasked"] > 10


# ---- bytes ----------------------------------------------------------------------------------------------------------


def train(comm, kv, seed):
    """Everybody pulls a batch, and pushes to the odd rows of it: the even ones never change."""
    rng = np.random.default_rng([seed, comm.rank])
    for _ in range(30):
        keys = draw(rng)
        kv.wait(kv.pull(keys, "t"))
        odd = keys[keys % 2 == 1]
        kv.push(odd, torch.from_numpy(rng.integers(-4, 5, (len(odd), DIM)).astype(np.float32)), "t")
        kv.clock()


@pytest.mark.parametrize(("policy", "staleness"), [("lru here", 0), ("lru", 2), ("clock", 2), ("lfu", 0), ("fixed", 0),
                                                   ("ahead", 2)])
def test_bytes_fall_by_the_valid_hits_over_the_distinct_rows_exactly(policy, staleness):
    """Rows without state: row bytes from servers to workers are (1 - h) of those without a cache, by the ledger."""
    config = table(consistency_of(staleness), SGD(0.5))
    plain, cached = [run(config, given, 2, 3, 2, train) for given in ({}, settings(policy, 12))]
    down = [sum(ran.ledger.link(server, worker, "vals") for server in (3, 4) for worker in range(3))
            for ran in (plain, cached)]
    valid, rows = valid_hits(cached, 3)
    assert 0 < valid < rows
    assert down[0] == 4 * DIM * rows
    assert down[1] == 4 * DIM * (rows - valid)
    up = [sum(ran.ledger.link(worker, server, "vals") for server in (3, 4) for worker in range(3))
          for ran in (plain, cached)]
    assert up[0] == up[1] > 0                                   # a cache never saves a push
    whole = [ran.ledger.total("keys") + ran.ledger.total("vals") for ran in (plain, cached)]
    assert whole[0] - whole[1] == sum(cached.results[worker]["cache"]["t"]["saved_bytes"] for worker in range(3))


def test_policies_differ_where_they_should():
    """If the argument reached nothing, all of them would save the same."""
    config, saved = table(BSP(), SGD(0.5)), {}
    for policy in POLICIES:
        saved[policy] = valid_hits(run(config, settings(policy, 10), 7, 1, 1, train), 1)
    assert saved["lru"] == saved["lru here"] == saved["ahead"]         # nothing announced: LRU
    assert len({saved[policy] for policy in ("lru", "fifo", "clock", "lfu", "fixed")}) == 5


# ---- hits -----------------------------------------------------------------------------------------------------------


def keys_of(seed, batches=40):
    rng = np.random.default_rng([seed, 9])
    return [np.unique(draw(rng)) for _ in range(batches)]


@pytest.mark.parametrize("policy", [LRU, FIFO, CLOCK, LFU, Belady, LookAhead], ids=lambda policy: policy.__name__)
def test_hits_are_those_of_the_policy_fed_with_the_same_batches(policy):
    batches = [keys for keys in keys_of(0) if len(keys) <= 9]
    stream = np.concatenate(batches)

    def make(rows):
        return Belady(rows, stream) if policy is Belady else policy(rows, 2) if policy is LookAhead else policy(rows)
    alone = make(9)
    for keys in alone.read_ahead(batches) if policy is LookAhead else batches:
        alone.batch(keys)
    kept = []

    def work(comm, kv, seed):
        [cache] = kept
        for keys in cache.read_ahead(batches) if policy is LookAhead else batches:
            kv.wait(kv.pull(keys, "t"))
            kv.clock()

    def once(rows):
        kept.append(make(rows))
        return kept[0]
    ran = run(table(SSP(1)), {"cache_rows": 9, "cache_policy": {"t": once}}, 0, 1, 2, work)
    counts = ran.results[0]["cache"]["t"]
    assert (counts["hits"], counts["misses"]) == (alone.hits, alone.misses)
    assert kept[0].stats == alone.stats
    assert alone.evictions > 10


def test_looking_ahead_saves_more_than_lru():
    batches = [keys for keys in keys_of(1, 80) if len(keys) <= 8]
    saved = {}
    for name in ("lru", "ahead"):
        ahead = LookAhead(8)

        def work(comm, kv, seed, ahead=ahead, name=name):
            for keys in ahead.read_ahead(batches) if name == "ahead" else batches:
                kv.wait(kv.pull(keys, "t"))
        policy = (lambda rows, ahead=ahead: ahead) if name == "ahead" else LRU
        saved[name] = valid_hits(run(table(BSP()), {"cache_rows": 8, "cache_policy": policy}, 0, 1, 1, work), 1)[0]
    assert saved["ahead"] > saved["lru"] > 0


# ---- reads by age ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["lru", "clock", "lfu", "fixed"])
@pytest.mark.parametrize(("staleness", "pulls"), [(0, 64), (1, 32), (2, 22), (3, 16)])
def test_a_hot_row_is_pulled_once_in_s_plus_1_clocks(policy, staleness, pulls):
    """64 clocks: ⌈64 / (s + 1)⌉ pulls, exactly, while another worker writes the row in every clock."""
    assert pulls == math.ceil(64 / (staleness + 1))

    def work(comm, kv, seed):
        for _ in range(64):
            if comm.rank == 0:
                kv.wait(kv.pull([2], "t"))
            comm.compute((2 - comm.rank) * 0.5)
            if comm.rank:
                kv.push([2], torch.ones(1, DIM), "t")
            kv.clock()
    ran = run(table(consistency_of(staleness), SGD(1.0)), settings(policy, 4), 0, 2, 1, work)
    assert ran.results[2]["stats"]["tables"]["t"]["pulls"] == pulls
    counts = ran.results[0]["cache"]["t"]
    assert counts["hits"] + counts["misses"] - counts["unasked"] == pulls


# ---- the cache itself -----------------------------------------------------------------------------------------------


def test_a_row_on_its_way_is_not_read():
    """Its slot is taken when the pull begins; until it lands there, the key is not here."""
    cache = PolicyRows(LRU(2), 3)
    cache.reserve(np.array([4, 7]))
    assert cache.find(np.array([4, 7])).tolist() == [-1, -1]
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    cache.put(np.array([4, 7]), rows, np.empty((0, 2, 3), np.float32), 5, np.array([6, 6]), np.arange(2))
    assert cache.rows[cache.find(np.array([7, 4]))].tolist() == rows[::-1].tolist()
    cache.reserve(np.array([9]))                                # 4 leaves; 9 has its slot, and no row yet
    assert (cache.find(np.array([4, 7, 9])) >= 0).tolist() == [False, True, False]
    cache.put(np.array([4]), rows[:1], np.empty((0, 1, 3), np.float32), 6, np.array([6]), np.arange(1))
    assert (cache.find(np.array([4, 7, 9])) >= 0).tolist() == [False, True, False]
    assert len(cache) == 1


def test_an_answer_that_was_overtaken_does_not_replace_a_younger_row():
    cache = PolicyRows(LFU(2), 1)
    cache.reserve(np.array([4, 7]))
    for keys, stamp in (([4], 6), ([4, 7], 5), ([7], 5)):
        rows = np.full((len(keys), 1), stamp, np.float32)
        cache.put(np.array(keys), rows, np.empty((0, len(keys), 1), np.float32), stamp, np.full(len(keys), stamp),
                  np.arange(len(keys)))
    at = cache.find(np.array([4, 7]))
    assert (cache.rows[at, 0].tolist(), cache.stamp[at].tolist()) == ([6, 5], [6, 5])


def test_in_a_pull_larger_than_the_cache_a_copy_goes_along_with_its_key():
    """[1 2 5 7 9] one by one through 3 rows: 9 leaves for 7, comes back to another slot, and is still good."""
    cache = PolicyRows(LRU(3), 1)
    for keys in ([9], [1, 2, 5, 7, 9]):
        keys = np.array(keys)
        cache.reserve(keys)
        if len(keys) == 1:
            cache.put(keys, np.array([[90.0]], np.float32), np.empty((0, 1, 1), np.float32), 3, np.array([8]),
                      np.arange(1))
    at = cache.find(np.array([5, 7, 9]))
    assert (at >= 0).tolist() == [False, False, True]
    assert (cache.rows[at[2]].item(), cache.stamp[at[2]], cache.good[at[2]]) == (90.0, 3, 8)


@pytest.mark.parametrize(("given", "words"), [
    ({"cache_policy": LFU}, "cache_rows is 0"),
    ({"cache_rows": 4, "cache_policy": "lfu"}, "cache_policy='lfu'"),
    ({"cache_rows": 4, "cache_policy": {"user": LFU}}, "table 'user'; allowed: 't'"),
    ({"cache_rows": 4, "cache_policy": lambda rows: LFU(5)}, "keeps 5 rows; at most 4"),
    ({"cache_rows": 4, "cache_policy": lambda rows: object()}, "has no capacity")])
def test_policies_that_are_none_are_refused(given, words):
    def program(comm):
        KVWorker(comm, [1], [TableConfig("t", 1, 9)], **given)
    with pytest.raises(ValueError, match=words):
        SimWorld(2).run(program)


def test_the_policy_of_a_table_alone():
    tables = [TableConfig("t", DIM, ROWS, SGD(1.0), BSP()), TableConfig("u", DIM, 3, SGD(1.0), BSP())]
    made = []

    def program(comm):
        kv = KVWorker(comm, [1], tables, cache_rows=4, cache_policy={"u": lambda rows: made.append(rows) or FIFO(rows)})
        return [type(cached.cache).__name__ for cached in kv._caches.values()]
    assert SimWorld(2).run(lambda comm: program(comm) if comm.rank == 0 else None).results[0] == ["RowCache",
                                                                                                  "PolicyRows"]
    assert made == [3]                                          # no more than the table has rows


# ---- each part, taken out, is missed --------------------------------------------------------------------------------


def test_a_slot_that_is_read_before_its_row_landed_is_caught(monkeypatch):
    monkeypatch.setattr(PolicyRows, "find", lambda self, keys: self.policy.slots(keys))
    with pytest.raises(AssertionError):
        test_under_bsp_every_policy_reads_what_no_cache_reads_bit_for_bit("clock")
