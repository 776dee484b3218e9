"""Exercise 11.9.1 by five ways to count, three rivals, hot rows: formulas against sums written out."""

from fractions import Fraction

import numpy as np
import pytest

from pslab import cost


def test_the_figures_of_the_exercise():
    percent = {(D, key): round(100 * cost.crossover_fraction(8, D, key), 1) for D, key in
               ((128, 0), (1, 0), (128, 8), (16, 8), (1, 8))}
    assert percent == {(128, 0): 87.5, (1, 0): 87.5, (128, 8): 86.2, (16, 8): 77.8, (1, 8): 29.2}
    others = {view: [round(100 * cost.crossover_fraction(8, D, 8, view=view), 1) for D in (128, 16, 1)]
              for view in cost.CROSSOVER_VIEWS}
    assert others == {"totals": [86.2, 77.8, 29.2], "busiest": [10.8, 9.7, 3.6], "direction": [21.2, 17.5, 4.4],
                      "gather": [24.6, 22.2, 8.3], "colocated": [98.5, 88.9, 33.3]}
    for view in cost.CROSSOVER_VIEWS:       # the table in the module says the same
        assert all(f"{figure} %" in cost.crossover.__doc__ for figure in others[view])


def by_ports(view, V, n, K, D, key, S):
    """Both sides from the ports of the traffic formulas: another way than the slopes."""
    ring, row = cost.ring_all_reduce(V * D, K), 4 * D
    server, gather = cost.sparse_server(n, K, S, row, key), cost.sparse_all_gather(n, K, row, key)
    if view == "totals":
        return ring.total, server.total
    if view == "gather":
        assert Fraction(gather.total, ring.total) == Fraction(gather.busiest, ring.busiest)
        return ring.total, gather.total
    if view == "busiest":
        return ring.busiest, max(port.both for port in server.ports)
    return ring.busiest, server.busiest


@pytest.mark.parametrize("view", ["totals", "busiest", "direction", "gather"])
@pytest.mark.parametrize(("K", "S", "D", "key"), [(8, 1, 128, 8), (6, 3, 16, 8), (4, 4, 1, 8), (2, 5, 3, 0)])
def test_bytes_of_both_sides_are_those_of_the_ports(view, K, S, D, key):
    V = 60 * K * S
    for n in (0, 2 * S * K, 30 * S * K):
        found = cost.crossover_bytes(V, n, K, D, key, S, view)
        dense, sparse = by_ports(view, V, n, K, D, key, S)
        assert (found.dense, found.sparse) == pytest.approx((dense, sparse), rel=1e-12)
        assert found.ring_wins == (dense < sparse)
    flips = cost.crossover_rows(V, K, D, key, S, view)
    fraction = cost.crossover_fraction(K, D, key, S, view)
    if flips is None:
        assert fraction >= 1
    else:
        assert cost.crossover_bytes(V, flips, K, D, key, S, view).ring_wins
        assert not cost.crossover_bytes(V, flips - 1, K, D, key, S, view).ring_wins
        assert (flips - 1) / V <= fraction < flips / V


def test_equal_bytes_are_no_win_of_the_ring():
    assert cost.crossover_fraction(8, 4) == 7 / 8
    assert cost.crossover_rows(800, 8, 4) == 701        # 700 rows: equal
    assert cost.crossover_rows(100, 2, 4, S=2, view="direction") is None, "K = S = 2: equal bytes even when all travel"
    assert cost.crossover_fraction(2, 4, S=2, view="direction") == 1.0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: cost.crossover_fraction(8, 4, view="port"), "view='port'; allowed: totals, busiest"),
    (lambda: cost.crossover_fraction(1, 4, view="gather"), "K=1; one worker alone"),
    (lambda: cost.crossover_bytes(10, 11, 8, 4), "n=11; a worker's unique rows can be at most V=10"),
    (lambda: cost.three_rivals(2, 1, 10, 4, 11), "rows_per_worker=11; unique rows can be at most rows=10"),
    (lambda: cost.hot_split([0.1, 0.2], 2, 4, 16), "probability must not increase"),
    (lambda: cost.hot_split([0.2, 0.1], 2, 4, 16, hot=3), "hot=3; the table has 2 rows"),
    (lambda: cost.touch_probability([1.5], 4), "one number from 0 to 1 for each row"),
    (lambda: cost.hot_threshold(2, 0, 8), "row_bytes=0 with key_bytes=8")])
def test_what_has_no_answer_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_three_rivals():
    for K in (2, 3, 8):
        rivals = cost.three_rivals(K, 1, 1000, 16, 40, slots=1)
        assert rivals["gather"].total == cost.gather_over_server(K) * rivals["server"].total
        assert rivals["gather"].state_bytes == rivals["allreduce"].state_bytes == K * 1000 * 64 * 2
        assert rivals["server"].state_bytes == 1000 * 64 * 2
        assert (rivals["server"].worker_bytes, rivals["gather"].worker_bytes) == (0, 128_000)
        assert rivals["allreduce"].total == 2 * (K - 1) * 64_000
    assert [cost.gather_over_server(K) for K in (1, 2, 3, 8)] == [0, 0.5, 1, 3.5]
    whole = cost.three_rivals(2, 2, 1000, 16, 1000)     # all rows touched: nobody names them
    assert whole["allreduce"].busiest == whole["server"].busiest == whole["gather"].busiest == 64_000


# ---- hot rows -------------------------------------------------------------------------------------------------------

ZIPF = np.arange(1, 100_001) ** -1.1
ZIPF /= ZIPF.sum()


@pytest.mark.parametrize(("K", "key"), [(2, 0), (2, 8), (4, 8), (8, 8)])
def test_the_threshold_is_the_best_of_a_sweep(K, key):
    split = cost.hot_split(ZIPF, K, 512, 64, key)
    near = (0, *range(split.hot - 12, split.hot + 13))
    swept = {hot: cost.hot_split(ZIPF, K, 512, 64, key, hot=hot).total_bytes for hot in near}
    assert swept[split.hot] == min(swept.values()) == split.total_bytes
    assert swept[0] == split.unsplit_bytes
    touch = 1 - (1 - ZIPF) ** 512
    assert split.hot == (touch > (K - 1) / K * 64 / (64 + key)).sum()
    assert split.tail_bytes == pytest.approx(2 * K * (64 + key) * touch[split.hot:].sum())


def test_the_gain_is_small_after_de_duplication_and_looks_large_without():
    split = cost.hot_split(ZIPF, 2, 512, 64, 0)
    assert split.hot == 65
    assert 0.06 < split.gain < 0.07
    assert 0.47 < split.naive_gain < 0.48
    gains = [cost.hot_split(ZIPF, K, 512, 64, 8).gain for K in (2, 4, 8)]
    assert [round(gain, 3) for gain in gains] == [0.079, 0.033, 0.018]
    always = cost.hot_split(np.ones(4) / 4, 2, 10**6, 64)
    assert always.gain == pytest.approx(1 - 64 / 2 / 72), "every row touched by all in every step"


def test_no_row_is_hot_where_none_is_touched_often():
    even = cost.hot_split(np.full(1000, 1e-3), 4, 10, 64)
    assert (even.hot, even.gain, even.total_bytes) == (0, 0, even.unsplit_bytes)
    assert cost.split_bytes(4, 10, 100, 64) == 2 * 3 * 640 + 2 * 100 * 72
