"""Speedup and efficiency, strong and weak; Amdahl's law fitted to times made with a known serial fraction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pslab import cost


def amdahl_times(f, one_s, Ks):
    return {K: one_s * (f + (1 - f) / K) for K in Ks}


@given(st.floats(0.001, 1), st.floats(1e-3, 1e3), st.sets(st.integers(1, 64), min_size=2, max_size=8))
def test_a_known_serial_fraction_is_found(f, one_s, Ks):
    fit = cost.fit_amdahl(amdahl_times(f, one_s, Ks))
    assert fit.serial_fraction == pytest.approx(f, rel=1e-6)
    assert fit.seconds(1) == pytest.approx(one_s, rel=1e-6)
    assert fit.limit == pytest.approx(1 / f, rel=1e-6)
    assert fit.speedup(7) == pytest.approx(cost.amdahl_speedup(f, 7), rel=1e-6)
    assert fit.residual < 1e-9


def test_the_fit_is_least_squares():
    times = {1: 10.0, 2: 6.5, 4: 4.0, 8: 3.6, 16: 2.0}
    fit = cost.fit_amdahl(times)
    matrix = np.array([[1.0, 1 / K] for K in times])
    expected = np.linalg.lstsq(matrix, np.array(list(times.values())), rcond=None)[0]
    assert (fit.serial_s, fit.parallel_s) == pytest.approx(tuple(expected), rel=1e-12)
    fitted = matrix @ expected
    assert fit.residual == pytest.approx(max(abs(fitted / list(times.values()) - 1)))


def test_nothing_serial_has_no_limit_and_slower_with_more_shows():
    assert cost.fit_amdahl({1: 8.0, 2: 4.0, 4: 2.0}).limit == pytest.approx(math.inf) or \
        cost.fit_amdahl({1: 8.0, 2: 4.0, 4: 2.0}).serial_fraction == pytest.approx(0, abs=1e-12)
    assert cost.fit_amdahl({1: 1.0, 2: 2.0}).parallel_s < 0
    assert cost.Amdahl(0.0, 3.0, 0.0).limit == math.inf


def test_strong_and_weak_are_different_questions():
    times = {1: 12.0, 3: 6.0, 4: 4.0}
    assert cost.strong_scaling(times) == {1: (1, 1), 3: (2, pytest.approx(2 / 3)), 4: (3, 0.75)}
    weak = {1: 12.0, 3: 15.0, 4: 16.0}
    assert cost.weak_scaling(weak) == {1: (1, 1), 3: (pytest.approx(2.4), 0.8), 4: (3, 0.75)}
    assert cost.strong_scaling(weak)[4][1] != cost.weak_scaling(weak)[4][1]


@pytest.mark.parametrize("K", [1, 2, 10, 1_000])
def test_the_two_laws(K):
    assert cost.amdahl_speedup(0.1, K) == pytest.approx(1 / (0.1 + 0.9 / K))
    assert cost.gustafson_speedup(0.1, K) == pytest.approx(0.1 + 0.9 * K)
    assert cost.amdahl_speedup(0, K) == cost.gustafson_speedup(0, K) == pytest.approx(K)
    assert cost.amdahl_speedup(1, K) == cost.gustafson_speedup(1, K) == 1
    # Both laws are about one run: a share s of the time on K is Amdahl's f = s / (s + (1 − s)·K) of the time on one
    s = 0.1
    assert cost.amdahl_speedup(s / (s + (1 - s) * K), K) == pytest.approx(cost.gustafson_speedup(s, K))


def test_how_many_it_takes_to_beat_one():
    assert cost.processes_to_beat_one({1: 1.0, 2: 1.4, 4: 0.9, 8: 0.5}) == 4
    assert cost.processes_to_beat_one({1: 1.0, 2: 1.0}) is None
    assert cost.processes_to_beat_one({1: 1.0}) is None


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.strong_scaling({2: 1.0}), "K = 2; the time of one process"),
    (lambda: cost.weak_scaling({}), "K = nothing"),
    (lambda: cost.strong_scaling({1: 0.0}), r"times\[1\]=0.0; seconds above 0"),
    (lambda: cost.fit_amdahl({0: 1.0, 2: 1.0}), "a key of times=0"),
    (lambda: cost.fit_amdahl({4: 1.0}), "at least two different numbers"),
    (lambda: cost.amdahl_speedup(1.5, 2), "serial_fraction=1.5"),
    (lambda: cost.gustafson_speedup(0.5, 0), "K=0"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
