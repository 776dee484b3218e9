"""Small parts of the parameter server: partition, first values, keys, tables, the window of seen numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pslab.ps import BSP, SGD, Integers, RangePartition, TableConfig, Uniform, Zeros
from pslab.ps.clocks import GONE, Clocks
from pslab.ps.dedup import Seen
from pslab.ps.keys import as_keys, as_vals, distinct, sum_equal
from pslab.ps.mixing import mix64

# ---- partition --------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 9))
def test_range_partition_cuts_as_tensor_split(num_rows, num_servers):
    part = RangePartition().bind(num_rows, num_servers)
    pieces = torch.arange(num_rows).tensor_split(num_servers)
    owner = np.full(num_rows, -1)
    for server, piece in enumerate(pieces):
        lo, hi = part.bounds(server)
        assert list(range(lo, hi)) == piece.tolist()
        owner[lo:hi] = server
    assert part.owner(np.arange(num_rows)).tolist() == owner.tolist()
    assert part.edges().tolist() == [0, *np.cumsum([len(piece) for piece in pieces])]


@given(st.integers(1, 40), st.integers(1, 7), st.data())
def test_split_names_only_servers_concerned_and_every_key_once(num_rows, num_servers, data):
    part = RangePartition().bind(num_rows, num_servers)
    keys = np.array(sorted(data.draw(st.sets(st.integers(0, num_rows - 1)))), np.int64)
    lo = data.draw(st.integers(0, num_rows))
    span = range(lo, data.draw(st.integers(lo, num_rows)))
    for asked in (keys, span):
        pieces = part.split(asked)
        assert [key for server, at in pieces for key in asked[at]] == list(asked)
        for server, at in pieces:
            first, end = part.bounds(server)
            assert len(asked[at])
            assert all(first <= key < end for key in asked[at])
        assert [server for server, _ in pieces] == sorted({int(x) for x in part.owner(np.array(asked, np.int64))})


def test_more_servers_than_rows_leaves_servers_empty():
    part = RangePartition().bind(2, 5)
    assert [part.bounds(server) for server in range(5)] == [(0, 1), (1, 2), (2, 2), (2, 2), (2, 2)]
    with pytest.raises(ValueError, match=r"server=5; allowed: 0\.\.4"):
        part.bounds(5)
    with pytest.raises(ValueError, match="bind"):
        RangePartition().bounds(0)


# ---- first values -----------------------------------------------------------------------------------------------

INITS = [Zeros(), Uniform(0.25, seed=3), Integers(-4, 5, seed=3)]


@pytest.mark.parametrize("init", INITS, ids=lambda init: type(init).__name__)
@pytest.mark.parametrize("dim", [1, 2, 5, 16])
def test_a_row_is_the_same_whoever_asks_for_it(init, dim):
    whole = init.rows(range(3000), dim, "user")
    assert whole.dtype == np.float32
    assert whole.shape == (3000, dim)
    asked = np.random.default_rng(0).permutation(3000)[:700]
    assert np.array_equal(init.rows(asked, dim, "user"), whole[asked])
    assert np.array_equal(init.rows(range(999, 3000), dim, "user"), whole[999:])
    assert np.array_equal(init.rows(torch.from_numpy(asked), dim, "user"), whole[asked])


def test_seed_table_row_and_column_all_matter():
    base = Uniform(1.0, seed=0).rows(range(200), 6, "a")
    for other in (Uniform(1.0, seed=1).rows(range(200), 6, "a"), Uniform(1.0, seed=0).rows(range(200), 6, "b"),
                  Uniform(1.0, seed=0).rows(range(1, 201), 6, "a"), np.roll(base, 1, axis=1)):
        assert (base != other).mean() > 0.99
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.15       # 1,200 pairs: 5 standard deviations
    assert np.unique(base).size > 0.99 * base.size


def test_uniform_is_uniform_and_scale_matters():
    scipy_stats = pytest.importorskip("scipy.stats")
    values = Uniform(0.5, seed=7).rows(range(20_000), 5)
    assert values.min() >= -0.5
    assert values.max() <= 0.5
    for column in range(5):
        assert scipy_stats.kstest(values[:, column], "uniform", args=(-0.5, 1.0)).pvalue > 1e-4
    np.testing.assert_allclose(Uniform(2.0, seed=7).rows(range(50), 5), 4 * values[:50], rtol=1e-6, atol=1e-6)


def test_integers_are_whole_even_and_half_open():
    values = Integers(-3, 4, seed=1).rows(range(7000), 5)
    seen, counts = np.unique(values, return_counts=True)
    assert seen.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert abs(counts - 5000).max() < 5 * np.sqrt(5000)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Uniform(-1.0), "scale=-1"), (lambda: Uniform(float("nan")), "scale=nan"),
    (lambda: Integers(3, 3), "lo=3, hi=3"), (lambda: Integers(0, 2**25), "hi=33554432")])
def test_inits_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_first_values_are_mixed_in_long_arrays(monkeypatch):
    """Fast by construction, whatever else the machine does: some calls for 100,000 rows, and none of them large."""
    sizes = []
    monkeypatch.setattr("pslab.ps.init.mix64", lambda x: sizes.append(x.size) or mix64(x))
    rows = Uniform(0.1).rows(range(100_000), 16)
    assert len(np.unique(rows[:, 0])) > 90_000
    assert len(sizes) == 50                             # two for each block of 4,096 rows
    assert max(sizes) == 4096 * 8                       # 256 KB: in cache


# ---- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("high", [3, 40, 10_000, 2**62])
@pytest.mark.parametrize("count", [1, 2, 37, 1000])
def test_sum_equal_and_distinct(count, high):
    rng = np.random.default_rng(count)
    keys = rng.integers(0, high, count)
    vals = rng.integers(-50, 50, (count, 3)).astype(np.float32)
    expected_keys, inverse = np.unique(keys, return_inverse=True)
    expected = np.zeros((len(expected_keys), 3), np.float64)
    np.add.at(expected, inverse, vals)
    before = vals.copy()
    got_keys, sums = sum_equal(keys, vals)
    assert got_keys.tolist() == expected_keys.tolist()
    assert got_keys.dtype == np.int64
    assert np.array_equal(sums, expected)
    assert sums.dtype == np.float32
    assert np.array_equal(vals, before)
    unique, where = distinct(keys)
    assert unique.tolist() == expected_keys.tolist()
    assert np.array_equal(unique if where is None else unique[where], keys)


def test_sum_equal_for_every_number_of_duplicates():
    keys = np.repeat(np.arange(20), np.arange(1, 21))                # key k stands there k + 1 times
    order = np.random.default_rng(0).permutation(len(keys))
    vals = np.arange(len(keys), dtype=np.float32)[order, None] + [[0, 1000]]
    distinct_keys, sums = sum_equal(keys[order], vals.astype(np.float32))
    assert distinct_keys.tolist() == list(range(20))
    assert sums[:, 0].tolist() == [np.flatnonzero(keys == key).sum() for key in range(20)]
    assert (sums[:, 1] - sums[:, 0]).tolist() == [1000 * (key + 1) for key in range(20)]


def test_sums_are_added_in_the_order_they_stand_in():
    keys = np.array([5, 1, 5, 5, 1])
    vals = np.array([[1e8], [1.0], [1.0], [-1e8], [2.0]], np.float32)
    assert sum_equal(keys, vals)[1].tolist() == [[3.0], [0.0]]                      # (1e8 + 1) - 1e8 in float32
    assert sum_equal(keys, vals[[0, 1, 3, 2, 4]])[1].tolist() == [[3.0], [1.0]]     # (1e8 - 1e8) + 1


def test_as_keys_takes_ranges_slices_tensors_arrays_lists():
    assert as_keys(range(2, 5), 10, "t") == range(2, 5)
    assert as_keys(slice(2, 5), 10, "t") == range(2, 5)
    assert as_keys(slice(None), 10, "t") == range(10)
    for keys in (torch.tensor([3, 1]), np.array([3, 1], np.int32), [3, 1], np.array([3, 1], np.uint64)):
        assert as_keys(keys, 10, "t").tolist() == [3, 1]
        assert as_keys(keys, 10, "t").dtype == np.int64
    assert as_keys([], 10, "t").dtype == np.int64
    assert as_keys(torch.empty(0), 10, "t").size == 0


@pytest.mark.parametrize(("keys", "words"), [
    ([0, 10], "key 10 is out of range; its keys are 0..9"), (np.array([-1, 3]), "key -1"),
    (torch.tensor([1.0]), "float32"), (torch.tensor([True]), "bool"), (np.zeros((2, 2), int), r"\(2, 2\)"),
    (range(3, 12), r"range\(3, 12\)"), (range(0, 6, 2), "step of 1"), (range(5, 2), r"range\(5, 2\)"),
    (range(-2, 2), r"range\(-2, 2\)"), (slice(0, 4, 2), "step 1"), (7, "int"), ("ab", "str"),
    (np.array([2**63], np.uint64), "9223372036854775808")])
def test_as_keys_refuses(keys, words):
    with pytest.raises(ValueError, match=f"(?s)'user'.*{words}"):
        as_keys(keys, 10, "user")


@pytest.mark.parametrize(("vals", "words"), [
    (torch.zeros(2, 4), r"\(2, 4\)"), (torch.zeros(3, 3), r"\(3, 3\)"), (torch.zeros(12), r"\(12,\)"),
    (torch.zeros(3, 4, dtype=torch.float64), "float64"), (torch.zeros(3, 4, dtype=torch.bfloat16), "bfloat16"),
    (np.zeros((3, 4), np.int64), "int64"), (1.0, "float")])
def test_as_vals_refuses(vals, words):
    with pytest.raises(ValueError, match=f"'user'.*{words}"):
        as_vals(vals, 3, 4, "user")


# ---- tables, clocks, numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "words"), [
    ({"dim": 0}, "dim=0"), ({"num_rows": 0}, "num_rows=0"), ({"dim": 2.0}, "dim=2.0"), ({"name": ""}, "name=''"),
    ({"dim": True}, "dim=True"), ({"rule": "sgd"}, "Rule"), ({"init": None}, "Init"), ({"consistency": 0}, "Consis"),
    ({"partition": "range"}, "Partition"), ({"num_rows": -1}, "num_rows=-1; .* or None"),
    ({"dtype": "float16"}, "dtype=.float16.; allowed: .float32., .bfloat16.")])
def test_table_config_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        TableConfig(**{"name": "t", "dim": 2, "num_rows": 3, **wrong})


def test_table_config_defaults_and_initial_rows():
    table = TableConfig("t", 2, 3)
    assert table.rule == SGD(0.1)
    assert table.consistency == BSP()
    assert not table.initial_rows().any()
    table = TableConfig("t", 2, 30, init=Integers(0, 9, seed=2))
    assert np.array_equal(table.initial_rows([4, 1]), Integers(0, 9, seed=2).rows(np.array([4, 1]), 2, "t"))
    assert not np.array_equal(table.initial_rows(), TableConfig("u", 2, 30, init=table.init).initial_rows())


def test_clocks_move_with_the_slowest_and_forget_who_left():
    clocks = Clocks([3, 7])
    assert not clocks.advance(3, 1)
    assert clocks.min_clock == 0
    assert not clocks.advance(3, 2)
    assert clocks.advance(7, 1)
    assert clocks.min_clock == 1
    assert not clocks.advance(7, 1)
    assert not clocks.advance(7, 0)
    assert clocks.min_clock == 1
    assert clocks.leave(7)
    assert clocks.min_clock == 2
    assert clocks.has_left(7)
    assert not clocks.has_left(3)
    assert clocks.leave(3)
    assert clocks.min_clock == GONE


@given(st.lists(st.integers(1, 30), max_size=80))
def test_seen_tells_repeats_from_news_in_any_order(numbers):
    seen, truth = Seen(), set()
    for number in numbers:
        assert seen.is_repeat(0, number) == (number in truth)
        if number not in truth:
            seen.note(0, number)
            truth.add(number)
        assert all(number > seen.mark for number in seen.above)
    assert set(range(1, seen.mark + 1)) | seen.above == truth


def test_seen_keeps_little_and_starts_again_with_an_incarnation():
    seen = Seen()
    for number in np.random.default_rng(0).permutation(100).tolist():
        seen.note(0, number + 1)
    assert seen.mark == 100
    assert not seen.above
    assert seen.fits(0, 100 + Seen.WINDOW)
    assert not seen.fits(0, 101 + Seen.WINDOW)
    assert not seen.is_repeat(1, 1)
    seen.note(1, 1)
    assert seen.incarnation == 1
    assert seen.mark == 1
    assert seen.is_repeat(1, 1)
    assert not seen.is_repeat(1, 2)
