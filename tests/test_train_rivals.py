"""Large batches against asynchrony, each at its best rate."""

import math

import numpy as np
import pytest

from pslab.train import (
    Logistic,
    Pace,
    Quadratic,
    WarmUp,
    backup_rounds,
    best_rates,
    over_staleness,
    replay,
    replay_rounds,
    schedule,
    usual_rivals,
)

TASK = Logistic.made(300, 6, seed=1, batch=4, l2=0.001)
PACE = Pace.transient(1.0, 0.1, 5, seed=2)


def test_every_rival_is_the_mode_it_is_called():
    seconds = PACE.table(4, 20)
    took, used = backup_rounds(seconds, 2)
    expected = {
        "BSP, large batch": replay(TASK, schedule(seconds, 0), 3.0),
        "BSP, warm-up": replay(TASK, schedule(seconds, 0), 3.0, warm_up=WarmUp(7)),
        "BSP, 2 backup": replay_rounds(TASK, np.cumsum(took), used, 3.0),
        "SSP(2)": replay(TASK, schedule(seconds, 2), 3.0),
        "ASP": replay(TASK, schedule(seconds, math.inf), 3.0),
        "ASP, rate / staleness": replay(TASK, schedule(seconds, math.inf), 3.0, scale=over_staleness),
        "ASP, compensated": replay(TASK, schedule(seconds, math.inf), 3.0, compensation=0.5),
    }
    rivals = usual_rivals(4, backup=2, compensation=0.5, warm_up=7)
    assert list(rivals) == list(expected)
    for name, run in rivals.items():
        curve = run(TASK, seconds, 3.0)
        assert np.array_equal(curve.weights, expected[name].weights), name
        assert np.array_equal(curve.times_s, expected[name].times_s), name
    assert len({tuple(curve.weights) for curve in expected.values()}) == 7
    assert "BSP, 1 backup" not in usual_rivals(1)


def test_the_best_rate_of_each_counts():
    rates, target = (4.0, 8.0, 64.0), TASK.best_loss + 0.01
    rows = {row["mode"]: row for row in best_rates(TASK, PACE, workers=4, target=target, rates=rates, steps=60)}
    for name, row in rows.items():
        times = [usual_rivals(4)[name](TASK, PACE.table(4, 60), lr).time_to(target) for lr in rates]
        assert row["times"] == times
        assert row["to_target_s"] == min(times)
        assert row["lr"] == rates[times.index(min(times))]
    bsp = replay(TASK, schedule(PACE.table(4, 60), 0), rows["BSP, large batch"]["lr"])
    assert rows["BSP, large batch"]["updates_to_target"] == 4 * int(np.flatnonzero(bsp.losses <= target)[0])
    asp = replay(TASK, schedule(PACE.table(4, 60), math.inf), rows["ASP"]["lr"])
    assert rows["ASP"]["updates_to_target"] == int(np.flatnonzero(asp.losses <= target)[0])
    assert rows["ASP"]["to_target_s"] < rows["BSP, large batch"]["to_target_s"]         # here the stragglers decide
    assert rows["BSP, 1 backup"]["to_target_s"] < rows["BSP, large batch"]["to_target_s"]


def test_a_large_batch_bears_the_larger_rate_and_without_stragglers_wins():
    """Curvature 1, no noise: BSP is stable up to 2, four equal ASP workers only up to 4 · 0.445 = 1.78."""
    task = Quadratic([1.0, 0.02])
    rates = (0.5, 1.0, 1.5, 1.9)
    bsp, asp = best_rates(task, Pace.equal(1.0), workers=4, target=1e-4, rates=rates, steps=200,
                          rivals={name: usual_rivals(4)[name] for name in ("BSP, large batch", "ASP")})
    assert bsp["lr"] == 1.9
    assert asp["lr"] < 1.9
    assert asp["times"][-1] == math.inf
    assert bsp["to_target_s"] < asp["to_target_s"] < math.inf


def test_nobody_gets_there():
    row, = best_rates(TASK, PACE, workers=2, target=0.0, rates=(1.0,), steps=5,
                      rivals={"ASP": usual_rivals(2)["ASP"]})
    assert math.isnan(row["lr"])
    assert (row["to_target_s"], row["updates_to_target"]) == (math.inf, 0)
    with pytest.raises(ValueError, match="rates is empty"):
        best_rates(TASK, PACE, workers=2, target=0.0, rates=())
