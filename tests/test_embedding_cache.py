"""Caches of rows: the sequence of hits is that of the plainest simulator, for every policy, on any stream."""

import time

import cache_oracles as oracles
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pslab.embedding.caches import CLOCK, FIFO, LFU, LRU, Belady, LookAhead, StaticTopK, miss_curve, stack_distances
from pslab.embedding.caches.reuse import next_use, previous_use

POLICIES = {LRU: oracles.lru, FIFO: oracles.fifo, CLOCK: oracles.clock, LFU: oracles.lfu}
STREAMS = st.lists(st.integers(-3, 9), max_size=90)


def made(policy, capacity, stream, **options):
    return Belady(capacity, stream, **options) if policy is Belady else policy(capacity, **options)


def one_by_one(cache, stream):
    """(hits, evicted), by `access`; every id that is here has a slot of its own, and keeps it while it is here."""
    hits, evicted = [], []
    for id in stream:
        before = {int(other): int(slot) for other, slot in zip(cache.ids(), cache.slots(cache.ids()))}
        hits.append(cache.access(id))
        here = {int(other): int(slot) for other, slot in zip(cache.ids(), cache.slots(cache.ids()))}
        gone = set(before) - set(here)
        assert len(gone) <= 1
        evicted += gone
        assert sorted(here.values()) == list(range(len(here)))
        assert all(here[other] == slot for other, slot in before.items() if other in here)
    return hits, evicted


@pytest.mark.parametrize("policy", [*POLICIES, Belady], ids=lambda policy: policy.__name__)
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), STREAMS, st.integers(0, 90))
def test_hits_and_evictions_are_the_plain_simulators(policy, capacity, stream, cut):
    hits, evicted = {**POLICIES, Belady: oracles.belady}[policy](stream, capacity)
    single, fast = made(policy, capacity, stream), made(policy, capacity, stream)
    assert one_by_one(single, stream) == (hits, evicted)
    assert [*fast.access_all(stream[:cut]).tolist(), *fast.access_all(stream[cut:]).tolist()] == hits
    assert fast.stats == single.stats
    assert np.array_equal(fast.slots(fast.ids()), single.slots(single.ids()))
    stats = single.stats
    assert (stats.hits, stats.misses, stats.evictions) == (sum(hits), len(hits) - sum(hits), len(evicted))
    assert (stats.compulsory, stats.capacity) == (len(set(stream)), stats.misses - len(set(stream)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 6), max_size=16))
def test_no_choice_of_who_leaves_has_fewer_misses_than_belady(capacity, stream):
    oracle = Belady(capacity, stream)
    oracle.access_all(stream)
    assert oracle.misses == oracles.fewest_misses(stream, capacity)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), STREAMS)
def test_no_policy_hits_more_than_belady(capacity, stream):
    oracle = Belady(capacity, stream)
    oracle.access_all(stream)
    for policy in POLICIES:
        cache = policy(capacity)
        cache.access_all(stream)
        assert cache.hits <= oracle.hits, policy.__name__


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), STREAMS, st.integers(1, 7))
def test_with_all_batches_announced_look_ahead_is_belady(capacity, stream, size):
    batches = [stream[first:first + size] for first in range(0, len(stream), size)]
    real, oracle = LookAhead(capacity), Belady(capacity, stream)
    assert np.array_equal(real.replay(batches), oracle.access_all(stream))
    assert real.stats == oracle.stats
    assert np.array_equal(real.ids(), oracle.ids())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), STREAMS, st.integers(1, 7), st.integers(0, 3))
def test_a_window_is_just_what_look_ahead_knows(capacity, stream, size, window):
    batches = [stream[first:first + size] for first in range(0, len(stream), size)]
    cache, plain, oracle = LookAhead(capacity, window), LRU(capacity), Belady(capacity, stream)
    hits, evicted = oracles.ahead(stream, capacity, lambda now: (now // size + 1 + window) * size)
    assert cache.replay(batches).tolist() == hits
    assert cache.evictions == len(evicted)
    for other in (plain, oracle):
        other.access_all(stream)
    assert oracle.misses <= cache.misses <= plain.misses


def test_a_longer_window_on_a_drawn_stream_goes_from_lru_to_belady():
    """Misses with 0, 1, 4, 16, all batches ahead: fewer each time, from below LRU's down to Belady's."""
    stream = (np.random.default_rng(3).zipf(1.2, 6000) % 997).tolist()
    batches = [stream[first:first + 50] for first in range(0, 6000, 50)]
    least, misses = Belady(60, stream), []
    least.access_all(stream)
    for window in (0, 1, 4, 16, None):
        cache = LookAhead(60, window)
        cache.replay(batches)
        misses.append(cache.misses)
    plain = LRU(60)
    plain.access_all(stream)
    assert plain.misses > misses[0] > misses[1] > misses[2] > misses[3] >= misses[4] == least.misses


def test_a_loop_of_one_id_more_than_the_capacity():
    """LRU, FIFO and CLOCK hit nothing; the oracle misses five ids at first, and then one in five."""
    loop = list(range(6)) * 20
    for policy in (LRU, FIFO, CLOCK):
        cache = policy(5)
        assert not cache.access_all(loop).any()
        assert (cache.compulsory, cache.capacity_misses, cache.evictions) == (6, 114, 115)
    oracle = Belady(5, loop)
    oracle.access_all(loop)
    assert oracle.misses == 5 + 115 // 5


def test_a_hit_refreshes_and_in_fifo_it_does_not():
    stream = [1, 2, 1, 3, 1, 2]
    assert LRU(2).access_all(stream).tolist() == [False, False, True, False, True, False]
    assert FIFO(2).access_all(stream).tolist() == [False, False, True, False, False, False]
    cache = LRU(3)
    cache.access_all([4, 9, 2, 4])
    assert cache.order() == [9, 2, 4]


def test_of_equally_frequent_ids_the_least_recently_used_leaves_and_counts_begin_anew():
    cache = LFU(2)
    cache.access_all([1, 2, 2, 1])
    cache.access(3)                                                     # 1 and 2 have two uses; 2 is the older use
    assert cache.ids().tolist() == [1, 3]
    assert [cache.uses(id) for id in (1, 2, 3)] == [2, 0, 1]
    cache.access(2)                                                     # had two uses once; now it has one
    assert cache.ids().tolist() == [1, 2]
    assert cache.uses(2) == 1


def test_a_new_id_of_clock_has_no_second_chance_yet():
    cache = CLOCK(2)
    cache.access_all([1, 2, 1])
    cache.access(3)                                                     # 1 has its bit: it stays, without it
    assert cache.ids().tolist() == [1, 3]
    cache.access(4)                                                     # the hand is at 1 again
    assert cache.ids().tolist() == [3, 4]


@pytest.mark.parametrize("policy", [*POLICIES, Belady], ids=lambda policy: policy.__name__)
def test_capacity_1_hits_only_repeats(policy):
    stream = [5, 5, 2, 2, 2, 5, 2, 5, 5]
    assert made(policy, 1, stream).access_all(stream).tolist() == [False] + [a == b for a, b in zip(stream, stream[1:])]


def test_fixed_ids_are_here_from_the_start_and_nothing_else_ever():
    stream = [3, 8, 3, 5, 5, 8, 1]
    cache = StaticTopK.of_stream(stream, 3, row_bytes=12)               # 3, 5 and 8 twice; 1 once
    assert cache.ids().tolist() == [pair[0] for pair in oracles.top(stream, 3)] == [3, 5, 8]
    cache = StaticTopK([8, 3], row_bytes=12)
    assert cache.access_all(stream).tolist() == [id in (3, 8) for id in stream]
    stats = cache.stats
    assert (stats.compulsory, stats.capacity, stats.evictions, stats.bytes) == (2, 1, 0, 36)
    assert cache.preload_bytes == 24
    assert [cache.access(id) for id in (1, 8)] == [False, True]
    assert cache.slots([3, 8, 5]).tolist() == [1, 0, -1]


def test_bytes_are_misses_times_the_bytes_of_a_row():
    cache = LRU(2, row_bytes=512)
    cache.access_all([1, 2, 3, 3, 1])
    assert cache.stats.bytes == 4 * 512
    assert cache.stats.hit_rate == 0.2
    assert LRU(2).stats.hit_rate == 0.0


def test_ids_of_any_size_and_kind_of_array():
    big = 2**63 - 1
    for ids in ([big, -big, big], np.array([big, -big, big]), torch.tensor([big, -big, big])):
        assert LRU(2).access_all(ids).tolist() == [False, False, True]
    assert LRU(2).access_all(np.array([2**64 - 1, 5, 2**64 - 1], np.uint64)).tolist() == [False, False, True]
    assert LRU(1).access(np.int64(3)) is False
    for policy in (LRU, FIFO, CLOCK, LFU):
        assert policy(2).access_all([]).shape == (0,)


# ---- whole streams at once -------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(STREAMS)
def test_the_miss_curve_holds_the_misses_of_every_lru(stream):
    curve = miss_curve(stream)
    assert len(curve) == len(set(stream)) + 1
    for capacity, misses in enumerate(curve.tolist()):
        hits = oracles.lru(stream, capacity)[0] if capacity else []
        assert misses == len(stream) - sum(hits)
    assert miss_curve(stream, 2).tolist() == (curve.tolist() + [len(set(stream))] * 3)[:3]


@settings(max_examples=60, deadline=None)
@given(STREAMS)
def test_distances_and_neighbours_in_a_stream(stream):
    before = [max((j for j in range(t) if stream[j] == id), default=-1) for t, id in enumerate(stream)]
    assert previous_use(stream).tolist() == before
    n = len(stream)
    assert next_use(stream).tolist() == [min((j for j in range(t + 1, n) if stream[j] == id), default=n)
                                         for t, id in enumerate(stream)]
    assert stack_distances(stream).tolist() == [-1 if p < 0 else len(set(stream[p + 1:t]))
                                                for t, p in enumerate(before)]


@pytest.mark.long
def test_ten_million_zipf_accesses_of_lru():
    """Aim: 10 s. In processor time, and with slack, for a machine that others use too."""
    weights = np.cumsum(np.arange(1, 1_000_001) ** -1.1)
    stream = np.searchsorted(weights, np.random.default_rng(0).random(10_000_000) * weights[-1])
    cache = LRU(100_000)
    began = time.process_time()
    hits = cache.access_all(stream)
    assert time.process_time() - began < 20
    assert cache.misses == miss_curve(stream, 100_000)[-1] == len(stream) - hits.sum()
