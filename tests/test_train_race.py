"""Ring, BSP, SSP and ASP side by side: against the schedules and replays, against each other, in both worlds."""

import math

import numpy as np
import pytest

from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.ps import ASP, BSP, SSP
from pslab.train import (
    AdaptiveSSP,
    AdaptiveStaleness,
    Logistic,
    Pace,
    Quadratic,
    backup_rounds,
    replay,
    replay_rounds,
    run_race,
    schedule,
    usual_modes,
)

TASK = Logistic.made(200, 6, seed=3, batch=8)
EXACT = Quadratic([1.0, 2.0, 4.0], start=[8.0, -16.0, 32.0])       # with lr / K a power of two every sum is exact


def instant(ranks):
    """A simulated world whose messages take no time."""
    return SimWorld(ranks, link=Link(0, 0, math.inf), trace=False)


@pytest.mark.parametrize("s", [0, 1, 3, math.inf])
def test_servers_without_latency_follow_the_schedule_and_the_replay(s):
    pace = Pace.exponential(1.0, seed=5)
    mode = {0: BSP(), math.inf: ASP()}.get(s) or SSP(s)
    lane = run_race(TASK, pace, workers=4, lr=2.0, steps=25, modes={"it": mode}, world=instant)["it"]
    plan = schedule(pace.table(4, 25), s)
    assert lane.seconds == pytest.approx(plan.makespan_s, rel=1e-12)
    for worker, steps in enumerate(lane.steps):
        assert np.allclose([start for start, *_ in steps], plan.starts[worker], rtol=1e-12)
        assert np.allclose([computed for _, computed, _ in steps], plan.ends[worker], rtol=1e-12)
    if s:
        seen = {(update.worker, update.clock): update.staleness for update in lane.updates}
        assert seen == {(r, c): plan.staleness[r, c] for r in range(4) for c in range(25)}
        assert lane.mean_staleness == pytest.approx(plan.staleness.mean())
        lead = max(update.lead for update in lane.updates)      # when it pushes: the slowest may have moved meanwhile
        assert lead == s if s < math.inf else 3 < lead <= plan.leads.max()
    model = replay(TASK, plan, 2.0)
    assert np.allclose(lane.curve.losses, model.losses, rtol=1e-5)
    assert np.allclose(lane.curve.times_s, model.times_s, rtol=1e-12)


@pytest.mark.parametrize("pace", [Pace.exponential(1.0, seed=5), Pace.exponential(1.0, seed=5).with_slow(1, 20)],
                         ids=["transient", "persistent"])
def test_workers_on_servers_choose_their_staleness_as_in_the_schedule(pace):
    options = {"window": 5, "most": 4}
    lane = run_race(TASK, pace, workers=4, lr=2.0, steps=80, modes={"it": AdaptiveSSP(**options)}, world=instant)["it"]
    choosers = [AdaptiveStaleness(**options) for _ in range(4)]
    plan = schedule(pace.table(4, 80), choosers)
    for worker, steps in enumerate(lane.steps):
        assert np.allclose([start for start, *_ in steps], plan.starts[worker], rtol=1e-9)
    seen = {(update.worker, update.clock): update.staleness for update in lane.updates}
    assert seen == {(r, c): plan.staleness[r, c] for r in range(4) for c in range(80)}
    assert len(set(plan.limits.ravel())) > 2            # they did choose
    assert max(update.lead for update in lane.updates) > 1


@pytest.mark.parametrize("backup", [1, 2])
def test_backup_workers_on_servers_follow_their_rounds(backup):
    pace = Pace.exponential(1.0, seed=6)
    lane = run_race(TASK, pace, workers=4, lr=2.0, steps=15, modes={"it": BSP(backup=backup)}, world=instant)["it"]
    took, used = backup_rounds(pace.table(4, 15), backup, finish=True)
    curve = replay_rounds(TASK, np.cumsum(took), used, 2.0)
    assert np.allclose(lane.curve.times_s[:16], curve.times_s, rtol=1e-9)
    assert np.allclose(lane.curve.losses[:16], curve.losses, rtol=1e-5)


def test_ring_and_bsp_train_the_same_model_bit_for_bit_in_both_worlds():
    pace = Pace.speeds([1, 0.5], 1e-3)
    modes = {"ring": "ring", "BSP": BSP()}
    simulated = run_race(EXACT, pace, lr=0.25, steps=12, modes=modes)
    real = run_race(EXACT, pace, lr=0.25, steps=12, modes={"ring": "ring"}, world=ProcessWorld, real="none")
    w = EXACT.start.copy()
    losses = [EXACT.loss(w)]
    for _ in range(12):
        w = w - 0.25 * EXACT.gradient(w, 0, 0)
        losses.append(EXACT.loss(w))
    for race in (simulated, real):
        for lane in race.values():
            assert np.array_equal(lane.curve.losses, losses)
            assert lane.counts == [12, 12]


def test_lanes_with_a_server_run_in_processes():
    with ProcessWorld(3) as processes:
        shared = type("Shared", (), {"run": processes.run})()
        race = run_race(EXACT, Pace.speeds([1, 0.5], 1e-4), lr=0.0625, steps=10, world=lambda n: shared, every=2,
                        modes={"SSP(1)": SSP(1), "ASP": ASP()})
        bsp = run_race(EXACT, Pace.speeds([1, 0.5], 1e-4), lr=0.25, steps=10, world=lambda n: shared,
                       modes={"BSP": BSP()})["BSP"]
    exact = run_race(EXACT, Pace.equal(1.0), workers=2, lr=0.25, steps=10, modes={"BSP": BSP()})["BSP"]
    assert np.array_equal(bsp.curve.losses, exact.curve.losses)
    assert {update.staleness for update in bsp.updates} == {0}
    for lane in race.values():
        assert lane.counts == [10, 10]
        assert len(lane.updates) == 20
        assert len(lane.curve.losses) == 11
        assert lane.curve.losses[-1] < lane.curve.losses[0]
        assert sorted((update.worker, update.clock) for update in lane.updates) == [(r, c) for r in (0, 1)
                                                                                     for c in range(10)]
        assert all(0 <= update.staleness < 20 for update in lane.updates)
    assert max(update.lead for update in race["SSP(1)"].updates) <= 1


def test_one_rank_at_half_speed_side_by_side():
    race = run_race(TASK, Pace.speeds([1, 1, 1, 0.5], 0.01), lr=2.0, horizon_s=0.5)
    target = TASK.best_loss + 0.04
    seconds = {row["mode"]: row["to_target_s"] for row in race.table(target)}
    assert list(seconds) == ["ring", "BSP", "SSP(2)", "ASP"]
    assert race["ring"].counts == race["BSP"].counts == [25] * 4
    assert race["SSP(2)"].counts == [27, 27, 27, 25]            # ahead by the slack, once and no more
    assert race["ASP"].counts == [50, 50, 50, 25]
    assert seconds["ASP"] < 0.65 * seconds["ring"]
    assert abs(seconds["BSP"] - seconds["ring"]) < 0.001
    assert seconds["ASP"] < seconds["SSP(2)"] <= seconds["BSP"] < math.inf
    waited = {row["mode"]: row["waited"] for row in race.table(target)}
    assert 0.36 < waited["BSP"] < 0.39                          # three of four wait half of the time
    assert waited["ASP"] < 0.02
    for lane in race.values():
        assert all(start < 0.5 for steps in lane.steps for start, *_ in steps)
        assert lane.run.ledger.total() > 0


def test_what_a_race_is_told_counts():
    pace = Pace.equal(0.01)
    few = run_race(TASK, pace, workers=3, lr=2.0, steps=6, every=3, modes=usual_modes(1))
    assert list(few) == ["ring", "BSP", "SSP(1)", "ASP"]
    assert [len(lane.curve.losses) for lane in few.values()] == [3, 3, 7, 7]
    assert all(lane.counts == [6, 6, 6] for lane in few.values())
    slow = run_race(TASK, pace, workers=3, lr=2.0, steps=6, modes={"BSP": BSP()},
                    world=lambda n: SimWorld(n, link=Link(latency_s=0.1)))
    assert slow["BSP"].seconds > 6 * 0.4
    other = run_race(TASK, pace, workers=3, lr=1.0, steps=6, modes={"BSP": BSP()})
    assert other["BSP"].curve.losses[-1] != few["BSP"].curve.losses[-1]


def test_the_ring_ends_for_all_when_one_rank_is_over_the_horizon():
    """Behind slow links the ranks leave an all-reduce one after the other: here ranks 1 and 2 after the horizon."""
    def race(**end):
        return run_race(EXACT, Pace.equal(0.01), workers=3, lr=0.1, modes={"ring": "ring"}, **end,
                        world=lambda n: SimWorld(n, link=Link(latency_s=1e-3, bandwidth_Bps=1e4)))["ring"]

    begins = [steps[1][2] for steps in race(steps=4).steps]
    assert begins[0] < begins[1] < begins[2]
    assert race(horizon_s=(begins[0] + begins[1]) / 2).counts == [2, 2, 2]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: run_race(TASK, Pace.equal(1.0), workers=2, lr=1, steps=1, modes={"x": "ring"}, real="nap"), "real='nap'"),
    (lambda: run_race(TASK, Pace.equal(1.0), workers=2, lr=1.0, steps=1, modes={"x": ASP()}, real="nap"), "real='nap'"),
    (lambda: AdaptiveSSP(most=0), "most=0"),
    (lambda: run_race(TASK, Pace.equal(1.0), lr=1.0, steps=1), "workers=None"),
    (lambda: run_race(TASK, Pace.equal(1.0), workers=2, lr=1.0), "one of them to end"),
    (lambda: run_race(TASK, Pace.equal(1.0), workers=2, lr=1.0, steps=1, modes={"x": "gossip"}), "modes"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
