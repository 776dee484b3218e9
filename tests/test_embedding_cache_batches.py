"""Batches that pin their ids, pins for prefetch, and what each refusal leaves behind: nothing changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pslab.embedding.caches import CLOCK, FIFO, LFU, LRU, Belady, LookAhead, StaticTopK

POLICIES = [LRU, FIFO, CLOCK, LFU, Belady, LookAhead]
BATCHES = st.lists(st.lists(st.integers(0, 11), max_size=9), max_size=14)


class Plain:
    """A batch at a time, with a list: who leaves is chosen among the ids that are neither in the batch nor pinned."""

    def __init__(self, policy, capacity, stream):
        self.policy, self.capacity, self.stream, self.now = policy, capacity, stream, 0
        self.line, self.uses, self.last, self.bit, self.evicted = [], {}, {}, {}, []
        self.hits = self.misses = 0

    def batch(self, ids, pinned=()):
        stay = {*ids, *pinned}
        missing = [id for id in dict.fromkeys(ids) if id not in self.line]
        leaving, places = max(0, len(self.line) + len(missing) - self.capacity), [(id,) for id in missing]
        if self.policy is CLOCK:                                # (id,): the place of one that comes; free places first
            self.line += [places.pop(0) for _ in range(len(missing) - leaving)]
        for _ in range(leaving):
            if self.policy is CLOCK:
                self.turn(stay)
            gone = self.line[0] if self.policy is CLOCK else min(
                (id for id in self.line if id not in stay), key=lambda id: self.rank(id, self.now + len(ids)))
            self.line.remove(gone)
            self.evicted.append(gone)
            if self.policy is CLOCK:
                self.line.append(places.pop(0))
        for id in ids:
            self.hits, self.misses = self.hits + (id in self.line), self.misses + (id not in self.line)
            if id not in self.line:
                self.uses[id], self.bit[id] = 0, None
                if (id,) in self.line:
                    self.line[self.line.index((id,))] = id
                else:
                    self.line.append(id)
            self.bit[id] = self.bit[id] is not None             # the first use sets no bit
            self.uses[id], self.last[id] = self.uses[id] + 1, self.now
            self.now += 1

    def turn(self, stay):
        while isinstance(self.line[0], tuple) or self.line[0] in stay or self.bit[self.line[0]]:
            id = self.line.pop(0)
            if not isinstance(id, tuple) and id not in stay:
                self.bit[id] = False
            self.line.append(id)

    def rank(self, id, end):
        coming = self.stream[end:]
        return {LRU: (self.last[id],), FIFO: (self.line.index(id),), LFU: (self.uses[id], self.last[id])}.get(
            self.policy, (-coming.index(id), 0) if id in coming else (-len(self.stream) - 1, self.last[id]))


def made(policy, capacity, batches):
    if policy is Belady:
        return Belady(capacity, [id for ids in batches for id in ids])
    cache = policy(capacity)
    if policy is LookAhead:
        for ids in batches:
            cache.announce(ids)
    return cache


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), BATCHES)
def test_a_batch_is_the_plain_one_and_its_rows_can_be_followed(policy, capacity, batches):
    batches = [ids for ids in batches if len(set(ids)) <= capacity]
    plain, cache = Plain(policy, capacity, [id for ids in batches for id in ids]), made(policy, capacity, batches)
    rows, below, evicted = np.full(capacity, -1), set(range(12)), []
    for ids in batches:
        before = set(cache.ids().tolist())
        batch = cache.batch(ids)
        plain.batch(ids)
        assert set(batch.loaded.tolist()) == set(ids) - before
        for id, slot in zip(batch.evicted, batch.evicted_slots):
            assert rows[slot] == id
            below.add(int(id))
        for id, slot in zip(batch.loaded, batch.loaded_slots):
            below.remove(int(id))
            rows[slot] = id
        assert rows[batch.slots].tolist() == ids                # nobody of the batch left for another
        assert rows[cache.slots(cache.ids())].tolist() == cache.ids().tolist()
        assert set(batch.evicted.tolist()).isdisjoint(ids)
        evicted += batch.evicted.tolist()
        assert (cache.hits, cache.misses, cache.evictions) == (plain.hits, plain.misses, len(plain.evicted))
    assert evicted == plain.evicted
    assert cache.pinned.tolist() == []


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(0, 9), max_size=60))
def test_batches_of_one_id_are_accesses(policy, capacity, stream):
    batches = [[id] for id in stream]
    single, batched = made(policy, capacity, batches), made(policy, capacity, batches)
    hits = [single.access(id) for id in stream]
    assert [not len(batched.batch(ids).loaded) for ids in batches] == hits
    assert batched.stats == single.stats
    assert np.array_equal(batched.slots(batched.ids()), single.slots(single.ids()))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@settings(max_examples=40, deadline=None)
@given(st.integers(4, 9), BATCHES, st.integers(1, 3))
def test_held_batches_stay_until_they_are_unpinned(policy, capacity, batches, held):
    """Up to `held` batches at once, as a prefetch keeps them: none of their rows moves meanwhile."""
    batches = [ids[:max(1, capacity // (held + 1))] for ids in batches if ids]
    plain, cache = Plain(policy, capacity, [id for ids in batches for id in ids]), made(policy, capacity, batches)
    window = []
    for ids in batches:
        plain.batch(ids, [id for batch, _ in window for id in batch])
        window.append((list(dict.fromkeys(ids)), cache.batch(ids, hold=True)))
        for distinct, batch in window:
            assert set(distinct) <= set(cache.pinned.tolist())
            assert set(cache.slots(distinct).tolist()) == set(batch.slots.tolist())
        if len(window) > held:
            cache.unpin(window.pop(0)[0])
        assert (cache.hits, cache.evictions) == (plain.hits, len(plain.evicted))
    for distinct, _ in window:
        cache.unpin(distinct)
    assert cache.pinned.tolist() == []


@pytest.mark.parametrize("policy", [LRU, FIFO, CLOCK, LFU], ids=lambda policy: policy.__name__)
def test_accesses_go_round_pinned_rows(policy):
    cache = policy(3)
    cache.batch([1, 2], hold=True)
    assert cache.access_all([7, 8, 7, 1, 2, 9, 2]).tolist() == [False, False, False, True, True, False, True]
    assert cache.ids().tolist() == [1, 2, 9]
    cache.pin([2, 9])
    with pytest.raises(ValueError, match="id 4 needs a slot, but all 3 rows"):
        cache.access(4)
    before = cache.stats
    with pytest.raises(ValueError, match="2 distinct ids beside 2 pinned rows does not fit into a cache of 3"):
        cache.batch([4, 1])
    assert cache.stats == before
    assert cache.ids().tolist() == [1, 2, 9]
    cache.unpin([1, 2])
    assert cache.pinned.tolist() == [2, 9]                      # 2 had two pins
    assert not cache.access(4)
    assert cache.ids().tolist() == [2, 4, 9]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_a_batch_larger_than_the_cache_is_refused_and_changes_nothing(policy):
    batches = [[1, 2, 3], [4, 5, 1, 6], [2, 2, 2, 2]]
    cache = made(policy, 3, batches)
    cache.batch(batches[0])
    with pytest.raises(ValueError, match="4 distinct ids beside 0 pinned rows does not fit into a cache of 3"):
        cache.batch([4, 5, 1, 6])
    assert (cache.misses, cache.evictions, cache.ids().tolist()) == (3, 0, [1, 2, 3])
    if policy not in (Belady, LookAhead):
        assert cache.batch([2, 2, 2, 2]).slots.tolist() == [cache.slots([2])[0]] * 4    # four places, one id


def test_fixed_ids_in_batches():
    cache = StaticTopK([8, 3])
    batch = cache.batch([3, 5, 8, 5], hold=True)
    assert batch.slots.tolist() == [1, -1, 0, -1]
    assert batch.loaded.tolist() == batch.evicted.tolist() == []
    assert (cache.hits, cache.misses, cache.compulsory) == (2, 2, 1)
    assert cache.pinned.tolist() == [3, 8]
    cache.unpin([3, 5, 8])
    cache.batch(range(100))                                     # needs no slot
    assert cache.evictions == 0


def test_the_hand_of_clock_passes_slots_that_the_batch_fills():
    cache = CLOCK(3)
    cache.access_all([1, 2, 1, 2])                              # both bits are set, the third slot is free
    assert cache.batch([5, 6, 7]).evicted.tolist() == [1, 2]
    assert cache.slots([5, 6, 7]).tolist() == [2, 0, 1]


def test_an_empty_batch():
    for cache in (LRU(1), LFU(1), CLOCK(1), Belady(1, []), LookAhead(1)):
        assert [part.shape for part in vars(cache.batch([])).values()] == [(0,)] * 5


# ---- what is told beforehand ----------------------------------------------------------------------------------------


def test_belady_decides_for_its_stream_alone():
    cache = Belady(2, [4, 7, 4])
    cache.access(4)
    for call in (cache.access, lambda id: cache.access_all([7, id]), lambda id: cache.batch([7, id])):
        with pytest.raises(ValueError, match=r"access \d is id 9, but the stream that Belady was given says [74]"):
            call(9)
    assert (cache.position, cache.misses) == (1, 1)
    assert cache.access_all([7, 4]).tolist() == [False, True]
    with pytest.raises(ValueError, match="access 3 is id 4, but the stream that Belady was given has 3 ids"):
        cache.access(4)


def test_look_ahead_is_held_to_what_was_announced():
    cache = LookAhead(3, window=1)
    cache.announce([7, 2, 7])
    cache.announce([9])
    with pytest.raises(ValueError, match="2 batches are announced and not used up: the one in use and window=1"):
        cache.announce([5])
    with pytest.raises(ValueError, match="id 2 came, but announced was 7"):
        cache.access(2)
    with pytest.raises(ValueError, match=r"a batch of the ids \[2, 9\] came, but announced was one of \[2, 7\]"):
        cache.batch([2, 9])
    assert cache.batch([2, 7]).slots.tolist() == [0, 1]         # the distinct ids count, in any order
    assert not cache.access(9)
    assert cache.access(2)                                      # nothing is announced: any id may come


@pytest.mark.parametrize(("window", "asked"), [(0, 1), (2, 3), (None, 6)])
def test_reading_ahead_asks_for_no_more_than_the_window(window, asked):
    given = []
    batches = ([given.append(step) or step % 3, step] for step in range(6))
    cache, seen = LookAhead(4, window), []
    for ids in cache.read_ahead(batches, ids_of=sorted):
        assert len(given) == min(6, asked + len(seen))
        cache.batch(sorted(ids))
        seen.append(ids)
    assert seen == [[step % 3, step] for step in range(6)]


@pytest.mark.parametrize(("make", "words"), [
    (lambda: LRU(0), "capacity=0; a whole number from 1"), (lambda: LFU(2.0), "capacity=2.0"),
    (lambda: CLOCK(True), "capacity=True"), (lambda: FIFO(2, row_bytes=-1), "row_bytes=-1"),
    (lambda: LookAhead(2, -1), "window=-1"), (lambda: StaticTopK([]), "ids holds 0 ids"),
    (lambda: StaticTopK([3, 3]), "2 ids, 1 of them distinct"), (lambda: LRU(2).access_all([1.0]), "type float64"),
    (lambda: LRU(2).batch([[1]]), r"shape \[1, 1\]"), (lambda: LRU(2).pin([4]), "id 4 is not in the cache"),
    (lambda: LRU(2).unpin([4]), "id 4 has 0 pins and 1 are to be taken back")])
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
