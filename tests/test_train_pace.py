"""Straggler profiles: the numbers they say, that these depend on nothing else, and how time is spent."""

import pickle
import time

import numpy as np
import pytest
from scipy import stats

from pslab.comm import SimWorld
from pslab.train import Pace, spend


def test_equal_persistent_and_speeds_are_what_they_say():
    assert [[Pace.equal(0.5)(r, t) for t in range(3)] for r in range(2)] == [[0.5] * 3] * 2
    slow = Pace.persistent(0.5, rank=1, factor=4)
    assert [slow(r, 7) for r in range(3)] == [0.5, 2.0, 0.5]
    halves = Pace.speeds([1, 0.5, 2], step_s=3.0)
    assert [halves(r, 0) for r in range(3)] == [3.0, 6.0, 1.5]
    assert Pace.speeds([0.5])(0, 9) == 2.0


def test_transient_hits_with_its_probability_and_only_by_its_factor():
    table = Pace.transient(2.0, probability=0.1, factor=5, seed=3).table(20, 1000)
    assert set(np.unique(table)) == {2.0, 10.0}
    hits = (table == 10.0).sum()
    assert stats.binomtest(int(hits), table.size, 0.1).pvalue > 1e-3
    # Ranks and steps are hit independently: the number of hits by rank and by step has binomial spread.
    for axis, n in ((0, 20), (1, 1000)):
        spread = (table == 10.0).sum(axis=axis).var() / (n * 0.1 * 0.9)
        assert 0.5 < spread < 1.9
    assert (Pace.transient(1.0, 0.0, 5).table(3, 50) == 1).all()
    assert (Pace.transient(1.0, 1.0, 5).table(3, 50) == 5).all()


def test_exponential_is_exponential_with_its_mean():
    drawn = Pace.exponential(0.25, seed=11).table(10, 1000)
    assert stats.kstest(drawn.ravel(), stats.expon(scale=0.25).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.04
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.04


def test_seeds_differ_and_numbers_do_not_depend_on_the_order_of_calls_or_the_number_of_ranks():
    pace = Pace.exponential(1.0, seed=5)
    backwards = [[pace(r, t) for t in reversed(range(6))][::-1] for r in reversed(range(4))][::-1]
    assert np.array_equal(pace.table(4, 6), backwards)
    assert np.array_equal(pace.table(4, 6), pace.table(9, 20)[:4, :6])
    assert pickle.loads(pickle.dumps(pace)) == pace
    assert not np.array_equal(pace.table(4, 6), Pace.exponential(1.0, seed=6).table(4, 6))
    # Not merely shifted by the seed, the rank or the step
    numbers = {Pace.exponential(1.0, seed=s)(r, t) for s in range(5) for r in range(5) for t in range(5)}
    assert len(numbers) == 125


def test_the_numbers_stay_what_they_are():
    assert Pace.exponential(1.0, seed=1)(2, 3) == pytest.approx(1.683402110850912, rel=1e-15)


def test_a_persistent_straggler_on_top_of_transient_ones():
    base = Pace.transient(1.0, 0.3, 4, seed=1)
    both = base.with_slow(2, 3)
    expected = base.table(4, 30) * np.array([1, 1, 3, 1])[:, None]
    assert np.array_equal(both.table(4, 30), expected)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Pace.equal(-1), "step_s=-1"),
    (lambda: Pace.equal(float("nan")), "step_s=nan"),
    (lambda: Pace.persistent(1, -1, 2), "rank=-1"),
    (lambda: Pace.persistent(1, 0, -2), "factor=-2"),
    (lambda: Pace.transient(1, 1.5, 2), "probability=1.5"),
    (lambda: Pace.transient(1, 0.5, 2, seed=-3), "seed=-3"),
    (lambda: Pace.speeds([]), "speeds="),
    (lambda: Pace.speeds([1, 0]), "speeds="),
    (lambda: Pace.speeds([1, 1])(2, 0), "ranks 0..1"),
    (lambda: Pace.speeds([1, 1]).table(3, 1), "ranks 0..1"),
    (lambda: Pace.equal(1)(0, -1), "step=-1"),
    (lambda: Pace(1, draw="sometimes"), "draw='sometimes'"),
])
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        make()


def test_spend_takes_virtual_time_once():
    def program(comm, pace):
        for step in range(4):
            spend(comm, pace(comm.rank, step))
        return comm.now()

    pace = Pace.persistent(0.25, rank=1, factor=3)
    run = SimWorld(3).run(program, pace)
    assert run.results == [1.0, 3.0, 1.0]
    assert [span.what for span in run.trace.spans] == ["compute"] * 12


class RealClock:
    """A world with a clock of its own, where compute() does nothing."""

    def __init__(self):
        self.slept = []

    def now(self):
        return sum(self.slept)

    def compute(self, seconds):
        pass

    def sleep(self, seconds):
        self.slept.append(seconds)


def test_spend_sleeps_burns_or_does_nothing_where_time_is_real(monkeypatch):
    comm = RealClock()
    spend(comm, 0.5)
    assert comm.slept == [0.5]
    spend(comm, 0.5, real="none")
    assert comm.slept == [0.5]
    looks = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: next(looks) * 0.1)
    spend(comm, 0.5, real="burn")
    assert comm.slept == [0.5]
    assert 5 <= next(looks) <= 7                    # it looked at the clock until the time was over
    with pytest.raises(ValueError, match="real='nap'"):
        spend(comm, 0.5, real="nap")
