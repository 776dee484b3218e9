"""Online learning in the simulator: how long until a reader sees what an example taught, under BSP, SSP and ASP."""

import math

import numpy as np
import pytest

from pslab.comm import Link, SimWorld
from pslab.ps import ASP, BSP, SSP
from pslab.train import Pace
from pslab.train.online import ExampleStream, example_stream, run_online, run_online_modes

LATENCY = 0.001


def world(n):
    return SimWorld(n, link=Link(latency_s=LATENCY, bandwidth_Bps=1e12), trace=False)


def one_by_one(arrivals_s, fields=2):
    """Examples of ids that no other has."""
    n = len(arrivals_s)
    return ExampleStream(np.array(arrivals_s), np.arange(n * fields).reshape(n, fields), np.arange(n) % 2 * 1.0,
                         n * fields)


def test_by_hand_one_worker():
    """Examples at 1.0 and 1.1 s, 0.2 s a step, a look every 0.5 s (at 0, 0.5, 1.0, 1.5).

    The worker pulls until 1.002, computes until 1.202, and its push is there before 1.21; the second example begins
    then and is there before 1.42. Both are in the answer to the look at 1.5, which is here at 1.502.
    """
    run = run_online(one_by_one([1.0, 1.1]), Pace.equal(0.2), ASP(), workers=1, read_every_s=0.5, world=world)
    np.testing.assert_allclose(run.fresh_s, [[0.502, 0.402]], atol=1e-4)
    assert run.clocks == [2]
    np.testing.assert_allclose(run.losses, [math.log(2)] * 2, rtol=1e-6)
    # lr 0.25 times the slope 0.5: of each id of a click +0.125, of the other -0.125
    np.testing.assert_allclose(run.weights, [-0.125, -0.125, 0.125, 0.125])
    assert run.rows_at_sight.tolist() == [[[-0.125, -0.125], [0.125, 0.125]]]


def test_who_sees_an_example_sees_what_it_taught():
    """Ids of its own for every example: at first sight its rows are what they are in the end, and not 0."""
    stream = one_by_one(np.arange(30) * 0.01)
    for model in (BSP(), SSP(1), ASP()):
        run = run_online(stream, Pace.equal(0.03).with_slow(1, 3), model, workers=3, readers=2, read_every_s=0.007,
                         batch_size=4, world=world)
        assert run.fresh_s.shape == (2, 30)
        assert np.isfinite(run.fresh_s).all()
        assert (run.fresh_s > 0.03).all()                       # never before it was computed
        for seen in run.rows_at_sight:
            assert np.array_equal(seen, run.weights[stream.ids])
            assert (seen != 0).all()


def test_a_straggler_makes_rows_of_others_stale_under_bsp_alone():
    stream = example_stream(140, rate_per_s=100, rows=50, seed=1)
    options = {"workers": 4, "read_every_s": 0.01, "world": world}
    slow = Pace.equal(0.02).with_slow(1, 4)
    runs = run_online_modes(stream, slow, **options)
    assert list(runs) == ["BSP", "SSP(2)", "ASP"]
    median = {name: run.percentile(50) for name, run in runs.items()}
    assert median["ASP"] < 0.5 * median["BSP"]
    assert median["ASP"] < median["SSP(2)"] < median["BSP"]
    assert runs["ASP"].share_within(0.06) > 0.7 > 0.2 > runs["BSP"].share_within(0.06)
    assert max(runs["BSP"].clocks) - min(runs["BSP"].clocks) <= 1
    assert runs["ASP"].clocks[0] > 1.5 * runs["ASP"].clocks[1]
    again, run = run_online(stream, slow, SSP(2), **options), runs["SSP(2)"]
    for name in ("fresh_s", "weights", "losses"):
        assert np.array_equal(getattr(run, name), getattr(again, name))


def test_asp_keeps_its_stated_time_and_bsp_with_a_straggler_does_not():
    """An example waits for the step in hand, then for its own; a look every r: 2 steps + r + 8 latencies at most."""
    stream = example_stream(100, rate_per_s=60, rows=40, seed=2)
    stated_s = 2 * 0.02 + 0.01 + 8 * LATENCY
    pace = Pace.equal(0.02)
    run = run_online(stream, pace, ASP(), workers=4, read_every_s=0.01, world=world)
    assert run.share_within(stated_s) == 1
    assert run.percentile(100) > 0.02
    late = run_online(stream, pace.with_slow(3, 6), BSP(), workers=4, read_every_s=0.01, world=world)
    assert late.share_within(stated_s) < 0.2


def test_looking_seldom_and_small_batches_cost_freshness():
    stream = example_stream(80, rate_per_s=200, rows=40, seed=3)

    def median(**changes):
        return run_online(stream, Pace.equal(0.02), ASP(), **({"workers": 2, "read_every_s": 0.01, "world": world}
                                                              | changes)).percentile(50)

    assert median(read_every_s=0.2) > median() + 0.05
    assert median(batch_size=1) > 2 * median()                  # 100 a second come to each, which learns from 45


def test_it_learns_while_it_serves():
    stream = example_stream(400, rate_per_s=400, rows=30, seed=4)
    run = run_online(stream, Pace.equal(0.01), SSP(2), workers=3, read_every_s=0.05, world=world)
    assert run.losses[-100:].mean() < run.losses[:100].mean() - 0.1
    other = run_online(stream, Pace.equal(0.01), SSP(2), workers=3, read_every_s=0.05, lr=0.0625, world=world)
    assert other.losses[:100].mean() > run.losses[:100].mean()


@pytest.mark.parametrize(("change", "told"), [
    ({"workers": 0}, "workers=0"), ({"readers": 0}, "readers=0"), ({"batch_size": True}, "batch_size=True"),
    ({"read_every_s": 0}, "read_every_s=0"), ({"lr": math.inf}, "lr=inf"),
    ({"consistency": "BSP"}, "consistency='BSP'"), ({"consistency": BSP(backup=1)}, "without backup"),
])
def test_wrong_arguments(change, told):
    arguments = {"stream": one_by_one([0.0]), "pace": Pace.equal(0.1), "consistency": ASP(), "workers": 2,
                 "read_every_s": 0.1} | change
    with pytest.raises(ValueError, match=told):
        run_online(**arguments)


@pytest.mark.parametrize(("arrivals", "ids", "labels", "told"), [
    ([0.0, 1.0], [[0]], [1.0], "have shapes"), ([], np.empty((0, 1), int), [], "N at least 1"),
    ([1.0, 0.5], [[0], [0]], [0.0, 1.0], "must rise"), ([0.0], [[5]], [1.0], "0..4"), ([0.0], [[-1]], [1.0], "0..4"),
])
def test_wrong_streams(arrivals, ids, labels, told):
    with pytest.raises(ValueError, match=told):
        ExampleStream(np.array(arrivals), np.array(ids), np.array(labels), 5)
    with pytest.raises(ValueError, match="rate_per_s=0"):
        example_stream(5, 0, 5)
