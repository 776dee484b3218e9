"""What caches do on real streams, or on their stand-ins where the data is not on this machine."""

import numpy as np
import pytest

from pslab.cost import chapter_lookups
from pslab.data import movielens_items, movielens_users, zipf
from pslab.embedding.caches import CLOCK, FIFO, LFU, LRU, Belady, LookAhead, StaticTopK, miss_curve


def rates(stream, capacity, fixed=None):
    """{policy: hits / accesses} of the whole stream, cold."""
    stream = np.asarray(stream)
    caches = [LRU(capacity), FIFO(capacity), CLOCK(capacity), LFU(capacity), Belady(capacity, stream),
              fixed or StaticTopK.of_stream(stream, capacity)]
    for cache in caches:
        cache.access_all(stream)
        if not isinstance(cache, StaticTopK):
            assert cache.compulsory == len(np.unique(stream))
    assert max(cache.hits for cache in caches[:4]) <= caches[4].hits
    assert caches[0].misses == miss_curve(stream, capacity)[-1]
    return {type(cache).__name__: cache.stats.hit_rate for cache in caches}


def test_five_rows_of_lru_beat_the_best_fixed_five_on_movielens_users():
    """Users come, rate for a while and go: who rated last rates next. The most active five rate 3 in 100."""
    stream = movielens_users()
    rate = rates(stream, 5)
    assert rate["LRU"] > 0.9
    assert rate["StaticTopK"] < 0.1
    if not stream.made:
        assert [round(rate[name], 3) for name in ("LRU", "StaticTopK", "Belady")] == [0.973, 0.031, 0.978]
    shuffled = rates(np.random.default_rng(0).permutation(stream.ids), 5)       # the same users without their order
    assert shuffled["StaticTopK"] == rate["StaticTopK"] > shuffled["LRU"]


def test_a_fixed_hundred_beats_lru_on_movielens_items():
    stream = movielens_items()
    rate = rates(stream, 100)
    assert rate["LRU"] < rate["StaticTopK"] < rate["Belady"]
    if not stream.made:
        assert [round(rate[name], 3) for name in ("LRU", "StaticTopK")] == [0.108, 0.299]


@pytest.mark.parametrize(("capacity", "lru", "belady", "top"), [(100, 0.448, 0.608, 0.576), (1000, 0.653, 0.732, 0.751),
                                                               (5000, 0.7313, 0.7316, 0.8504)])
def test_the_chapters_lookups(capacity, lru, belady, top):
    """20,000 draws with 5,369 distinct ids: no cold cache, of any size, hits more than 73.16 %."""
    stream = chapter_lookups()
    rate = rates(stream, capacity, StaticTopK(range(capacity)))
    digits = 4 if capacity == 5000 else 3
    assert [round(rate[name], digits) for name in ("LRU", "Belady", "StaticTopK")] == [lru, belady, top]
    assert len(set(stream)) == 5369


def test_the_gap_to_the_oracle_narrows_as_the_exponent_grows():
    """Hits that LRU leaves to the oracle, of 100 accesses, with 200 of 20,000 rows."""
    gaps = []
    for exponent in (0.6, 0.9, 1.2, 1.5):
        rate = rates(zipf(exponent, 20_000, 30_000, seed=1), 200)
        gaps.append(1 - rate["LRU"] / rate["Belady"])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.6 > 0.1 > gaps[-1]


def test_look_ahead_on_movielens_reaches_the_oracle_with_few_batches():
    """50 rows for items, batches of 64 ratings: misses by how many batches are known, from LRU's to Belady's."""
    ids = movielens_items().ids[:8_000]
    batches = [ids[first:first + 64] for first in range(0, len(ids), 64)]
    oracle, plain = Belady(50, ids), LRU(50)
    oracle.access_all(ids)
    plain.access_all(ids)
    misses = []
    for window in (0, 1, 4, 16, None):
        cache = LookAhead(50, window)
        cache.replay(batches)
        misses.append(cache.misses)
    assert plain.misses > misses[0] > misses[1] > misses[2] > misses[3] >= misses[4] == oracle.misses
    assert plain.misses - misses[2] > 0.8 * (plain.misses - oracle.misses)
