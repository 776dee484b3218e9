"""Vector clocks against their definition entry by entry, and range clocks against one clock a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pslab.ps.vector_clock import RangeClocks, VectorClock

clocks = st.dictionaries(st.integers(0, 3), st.integers(0, 4)).map(VectorClock)
pushes = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 2), st.integers(0, 3)), max_size=25)


def held(clock):
    """The updates that a clock stands for."""
    return {(worker, c) for worker, newest in clock.items() for c in range(newest + 1)}


@given(clocks, clocks, clocks)
def test_merge_and_order_are_those_of_sets_of_updates(a, b, c):
    assert held(a.merge(b)) == held(a) | held(b)
    assert (a <= b) == (held(a) <= held(b)) == (b >= a)
    assert (a < b) == (held(a) < held(b)) == (b > a)
    assert (a == b) == (held(a) == held(b))
    assert a.concurrent(b) == bool(held(a) - held(b) and held(b) - held(a))
    assert a.merge(b) == b.merge(a)
    assert a.merge(b.merge(c)) == a.merge(b).merge(c)
    assert a.merge(a) == a
    assert hash(a.merge(b)) == hash(b.merge(a))


@given(clocks, st.integers(0, 3), st.integers(0, 5))
def test_advance_adds_one_workers_updates(clock, worker, newest):
    after = clock.advance(worker, newest)
    assert held(after) == held(clock) | {(worker, c) for c in range(newest + 1)}
    assert after.seen(worker, newest)
    assert clock.seen(worker, newest) == ((worker, newest) in held(clock))


def test_clocks_by_hand():
    a, b = VectorClock({0: 3, 1: 1}), VectorClock({1: 2})
    assert repr(a.merge(b)) == "{0: 3, 1: 2}"
    assert a.concurrent(b)
    assert VectorClock() <= b
    assert b.advance(1, 2) is b
    assert dict(a) == {0: 3, 1: 1}
    assert len(a) == 2
    with pytest.raises(ValueError, match="clock -1 of worker 4"):
        VectorClock({4: -1})
    with pytest.raises(ValueError, match="clock True of worker 4"):
        VectorClock({4: True})


@given(pushes)
def test_range_clocks_are_the_clocks_of_every_key(moves):
    ranges, by_key = RangeClocks(0, 20), [VectorClock() for _ in range(20)]
    for lo, hi, worker, clock in moves:
        lo, hi = min(lo, hi), max(lo, hi)
        before = len(ranges)
        ranges.push(lo, hi, worker, clock)
        assert len(ranges) <= before + 2                            # one range becomes at most three
        by_key[lo:hi] = [of_key.advance(worker, clock) for of_key in by_key[lo:hi]]
        assert [ranges.at(key) for key in range(20)] == by_key
        listed = list(ranges.ranges())
        assert [lo for lo, _, _ in listed] == [0, *[hi for _, hi, _ in listed[:-1]]]
        assert listed[-1][1] == 20
        assert all(a[2] != b[2] for a, b in zip(listed, listed[1:]))       # equal neighbours are one range


@given(pushes, pushes)
def test_merged_range_clocks_are_merged_key_by_key(first, second):
    a, b = RangeClocks(0, 20), RangeClocks(0, 20)
    for ranges, moves in ((a, first), (b, second)):
        for lo, hi, worker, clock in moves:
            ranges.push(min(lo, hi), max(lo, hi), worker, clock)
    expected = [a.at(key).merge(b.at(key)) for key in range(20)]
    a.merge(b)
    assert [a.at(key) for key in range(20)] == expected
    assert all(x[2] != y[2] for x, y in zip(list(a.ranges()), list(a.ranges())[1:]))


def test_ranges_by_hand():
    ranges = RangeClocks(0, 2**64)
    ranges.push(0, 2**64, 1, 2)
    ranges.push(40, 60, 0, 3)
    assert [(lo, hi, dict(clock)) for lo, hi, clock in ranges.ranges()] == [
        (0, 40, {1: 2}), (40, 60, {0: 3, 1: 2}), (60, 2**64, {1: 2})]
    ranges.push(60, 2**64, 0, 3)
    ranges.push(0, 40, 0, 3)
    assert len(ranges) == 1
    assert len(RangeClocks(3, 3)) == 0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: RangeClocks(3, 2), "lo=3, hi=2; lo <= hi is needed"),
    (lambda: RangeClocks(0, 5).at(5), "key 5; this holds the keys 0..4"),
    (lambda: RangeClocks(0, 0).at(0), "key 0; this holds no keys"),
    (lambda: RangeClocks(0, 5).push(2, 6, 0, 0), "keys 2..5; this holds the keys 0..4"),
    (lambda: RangeClocks(0, 5).push(3, 2, 0, 0), "this holds the keys 0..4"),
    (lambda: RangeClocks(0, 5).merge(RangeClocks(0, 6)), "keys 0..5; this holds the keys 0..4"),
    (lambda: RangeClocks(0, 5).push(0, 2, 0, -1), "clock -1 of worker 0"),
])
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
