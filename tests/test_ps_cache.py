"""RowCache: which rows are kept is exactly what least-recently-used says; one row at a time as the oracle."""

import time
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pslab.ps import SGD, AdaGrad
from pslab.ps.cache import ALWAYS, NEVER, RowCache

BATCHES = st.lists(st.lists(st.integers(0, 15), max_size=12, unique=True).map(sorted), max_size=25)


def rows_of(keys, stamp, dim=3):
    return np.array([[100 * key + 10 * stamp + column for column in range(dim)] for key in keys],
                    np.float32).reshape(len(keys), dim)


def use(cache, keys, stamp):
    """A pull of keys: what is here is touched, the rest put. Gives which were here."""
    keys = np.array(keys, np.int64)
    used, places = cache.uses(len(keys)), cache.find(keys)
    hit = places >= 0
    cache.touch(places[hit], used[hit])
    new = keys[~hit]
    cache.put(new, rows_of(new, stamp), np.empty((0, len(new), 3), np.float32), stamp, np.full(len(new), stamp),
              used[~hit])
    return hit.tolist()


def oracle(kept, capacity, keys, stamp):
    """The same by a dictionary in the order of use: found first, then all young, then the oldest leave."""
    hit = [key in kept for key in keys]
    for key in keys:
        kept.setdefault(key, stamp)
        kept.move_to_end(key)
    while len(kept) > capacity:
        kept.popitem(last=False)
    return hit


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 9), BATCHES)
def test_least_recently_used_leaves_first(capacity, batches):
    cache, kept = RowCache(capacity, 3), OrderedDict()
    for stamp, keys in enumerate(batches):
        assert use(cache, keys, stamp) == oracle(kept, capacity, keys, stamp)
        assert cache.keys.tolist() == sorted(kept)
        places = cache.find(np.array(sorted(kept), np.int64))
        assert len(set(places.tolist())) == len(kept)
        want = [rows_of([key], kept[key])[0] for key in sorted(kept)]
        assert np.array_equal(cache.rows[places], np.array(want).reshape(-1, 3))
        assert cache.stamp[places].tolist() == [kept[key] for key in sorted(kept)]


def test_a_hit_refreshes_and_fifo_would_not():
    cache = RowCache(2, 3)
    assert [use(cache, keys, 0) for keys in ([1], [2], [1], [3], [1], [2])] == [[False], [False], [True], [False],
                                                                               [True], [False]]


def test_of_a_batch_larger_than_the_cache_the_last_stay():
    cache = RowCache(3, 3)
    use(cache, [9], 0)
    assert use(cache, [1, 2, 5, 7, 9], 1) == [False, False, False, False, True]
    assert cache.keys.tolist() == [5, 7, 9]


def put(cache, keys, stamp, good):
    keys = np.array(keys)
    cache.put(keys, rows_of(keys, stamp), np.zeros((1, len(keys), 3), np.float32), stamp, np.array(good),
              cache.uses(len(keys)))


def test_a_younger_copy_stays_and_an_equal_one_is_replaced():
    cache = RowCache(4, 3, slots=1)
    put(cache, [1, 4], 7, [7, 7])
    put(cache, [1, 2, 4], 5, [9, 5, 9])         # an answer that was overtaken
    assert cache.stamp[cache.find(cache.keys)].tolist() == [7, 5, 7]
    assert np.array_equal(cache.rows[cache.find(np.array([1, 2, 4]))], [*rows_of([1], 7), *rows_of([2], 5),
                                                                       *rows_of([4], 7)])
    put(cache, [1], 7, [NEVER])
    assert cache.good[cache.find(cache.keys)].tolist() == [NEVER, 5, 7]


def test_confirm_and_doubt_touch_only_what_is_here():
    cache = RowCache(4, 3, slots=1)
    put(cache, [1, 4], 7, [7, 7])
    cache.confirm(np.array([1, 3, 4]), 9, np.array([11, 12, 13]))
    assert (cache.stamp[cache.find(cache.keys)].tolist(), cache.good[cache.find(cache.keys)].tolist()) == ([9, 9],
                                                                                                         [11, 13])
    cache.confirm(np.array([1]), 8, np.array([ALWAYS]))         # old news
    cache.doubt(np.array([3, 4]))
    assert cache.good[cache.find(cache.keys)].tolist() == [11, NEVER]
    assert cache.keys.tolist() == [1, 4]


@pytest.mark.parametrize("rule", [SGD(0.5), AdaGrad(0.5)])
def test_a_step_on_copies_is_the_rules_step(rule):
    cache, keys = RowCache(4, 3, rule.slots), np.array([1, 4, 6])
    first, state = rows_of(keys, 0), np.full((rule.slots, 3, 3), 2.0, np.float32)
    cache.put(keys, first, state, 0, np.zeros(3, int), cache.uses(3))
    grads = rows_of([0, 1, 4], 1)
    given_grads = grads.copy()
    cache.step(rule, np.array([0, 1, 4]), grads, 1)
    assert np.array_equal(grads, given_grads)
    rows, expected_state = first[:2].copy(), state[:, :2].copy()
    rule.step(rows, grads[1:].copy(), expected_state, 1)
    assert np.array_equal(cache.rows[cache.find(keys)], [*rows, first[2]])
    assert np.array_equal(cache.state[:, cache.find(keys[:2])], expected_state)


def test_batches_of_4096_rows_take_no_loop_over_keys():
    cache, rng = RowCache(16_384, 64), np.random.default_rng(0)
    batches = [np.unique(rng.zipf(1.1, 8000) % 1_000_000)[:4096] for _ in range(30)]
    began = time.process_time()
    for keys in batches:
        used, places = cache.uses(len(keys)), cache.find(keys)
        cache.touch(places[places >= 0], used[places >= 0])
        new = keys[places < 0]
        cache.put(new, np.ones((len(new), 64), np.float32), np.empty((0, len(new), 64), np.float32), 0,
                  np.zeros(len(new), int), used[places < 0])
    assert time.process_time() - began < 1.0            # 0.03 s here; a Python loop over keys takes several
    assert len(cache) == 16_384
