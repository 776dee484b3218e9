"""The law of staleness, the rate it allows, the regret it adds; the grid of stragglers and the curve over τ."""

import math

import numpy as np
import pytest

from pslab.collectives import stable_rate
from pslab.comm import Link, SimWorld
from pslab.ps import ASP, SSP
from pslab.train import (
    Logistic,
    Pace,
    Pipeline,
    Quadratic,
    law_of_updates,
    run_race,
    schedule,
    ssp_regret,
    stable_rate_by_experiment,
    stable_rates,
    staleness_law,
    straggler_grid,
    time_over_tau,
    usual_kinds,
)
from pslab.train import stale as stale_module

PACES = {"equal": Pace.equal(1.0), "exponential": Pace.exponential(1.0, seed=3),
         "one 4 times slower": Pace.persistent(1.0, 2, 4), "transient": Pace.transient(1.0, 0.1, 5, seed=2)}


# ---- the law ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PACES)
@pytest.mark.parametrize("K", [1, 2, 5])
def test_mean_staleness_is_k_minus_1_less_the_boundary_whatever_the_speeds(name, K):
    plan = schedule(PACES[name].table(K, 1000), math.inf)
    law = staleness_law(plan, horizon_s=250.0)
    assert law.updates == (plan.ends <= 250).sum()
    assert law.mean == pytest.approx(law.predicted, abs=1e-12)         # exactly, with its boundary
    assert law.mean == pytest.approx(K - 1, abs=0.05 * (K - 1))         # and nearly without
    # the boundary by counting: the others' updates after a worker's last one
    order = [r for _, r in sorted((end, r) for r, row in enumerate(plan.ends) for end in row if end <= 250)]
    last = {r: max(i for i, other in enumerate(order) if other == r) for r in set(order)}
    assert law.boundary == sum(len(order) - 1 - at for at in last.values())


def test_a_slow_worker_is_staler_and_the_others_fresher():
    law = staleness_law(schedule(PACES["one 4 times slower"].table(4, 1000), math.inf), horizon_s=900.0)
    assert law.by_worker[2] == pytest.approx(12, abs=0.1)               # three others, four updates each
    assert [law.by_worker[r] for r in (0, 1, 3)] == pytest.approx([2.25] * 3, abs=0.02)


def test_the_law_holds_in_a_run_on_servers():
    race = run_race(Quadratic([1.0]), PACES["exponential"], workers=4, lr=0.1, horizon_s=60.0, modes={"ASP": ASP()},
                    world=lambda n: SimWorld(n, link=Link(0, 0, math.inf), trace=False))
    updates = race["ASP"].updates
    law = law_of_updates([u.worker for u in updates], [u.staleness for u in updates], 4)
    assert law.mean == pytest.approx(law.predicted, abs=1e-12)
    assert law.updates == len(updates) > 200
    waits = run_race(Quadratic([1.0]), PACES["one 4 times slower"], workers=4, lr=0.1, horizon_s=60.0,
                     modes={"SSP": SSP(1)})["SSP"]
    assert waits.mean_staleness < 0.8 * 3                               # who waits reads later, and fresher


# ---- the rate -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("curvature", [1.0, 7.5])
def test_the_stable_rate_by_experiment_is_the_formula_within_one_percent(curvature):
    for row in stable_rates(curvature, most=6):
        tau = row["staleness"]
        formula = 2 * math.sin(math.pi / (2 * (2 * tau + 1))) / curvature
        assert row["formula"] == pytest.approx(formula, rel=1e-12)
        assert row["measured"] == pytest.approx(formula, rel=2e-3)
        assert stale_module.settles(0.98 * formula, curvature, tau)
        assert not stale_module.settles(1.02 * formula, curvature, tau)
        # and by the roots of z^(τ+1) - z^τ + ηλ, a third way
        for factor, inside in ((0.999, True), (1.001, False)):
            roots = np.roots([1, -1, *[0] * (tau - 1), factor * formula * curvature] if tau else
                             [1, -1 + factor * formula * curvature])
            assert (np.abs(roots).max() < 1) == inside
    assert stable_rate_by_experiment(1.0, 3, tolerance=1e-4) == pytest.approx(0.44504, abs=1e-4)


def test_the_experiment_uses_no_formula(monkeypatch):
    monkeypatch.setattr(stale_module, "stable_rate", lambda *_: math.nan)
    assert stable_rates(1.0, most=1)[1]["measured"] == pytest.approx(1.0, rel=2e-3)
    coarse, fine = (stable_rate_by_experiment(1.0, 2, tolerance=t) for t in (0.2, 1e-4))
    assert abs(coarse - 0.618034) > 10 * abs(fine - 0.618034)


# ---- regret -------------------------------------------------------------------------------------------------------

TASK = Logistic.made(300, 5, seed=1, batch=1, flipped=0.2)


def test_measured_regret_is_below_the_bound_and_grows_with_much_staleness():
    seconds = PACES["transient"].table(4, 120)
    found = {s: ssp_regret(TASK, seconds, s, radius=4.0) for s in (0, 2, 30)}
    for s, regret in found.items():
        assert regret.inside
        assert 0 < regret.measured < regret.bound
        assert regret.steps == 480
        assert regret.lipschitz == pytest.approx(1.0)
        # Ho et al. state it as a mean over all T = 480 updates of P = 4 workers
        assert regret.bound / 480 == pytest.approx(4 * 4.0 * 1.0 * math.sqrt(2 * (s + 1) * 4 / 480))
        assert regret.mean == regret.measured / 480
    assert found[30].measured > found[0].measured


def test_regret_is_what_the_steps_lost_on_what_they_read():
    """One worker, s = 0: online gradient descent, word by word."""
    w, regret, sigma = TASK.start.copy(), 0.0, 2.0 / math.sqrt(2)
    for step in range(50):
        regret += TASK.step_loss(w, 0, step) - TASK.step_loss(TASK.best, 0, step)
        w = w - sigma / math.sqrt(step + 1) * TASK.gradient(w, 0, step)
    found = ssp_regret(TASK, np.ones((1, 50)), 0, radius=2.0)
    assert found.measured == pytest.approx(regret, rel=1e-9)
    assert not ssp_regret(TASK, np.ones((1, 50)), 0, radius=0.3).inside     # a ball that w* is not even in


# ---- the grid -----------------------------------------------------------------------------------------------------

def test_a_persistent_straggler_is_hidden_by_no_finite_s_and_transient_ones_step_by_step():
    task = Quadratic([0.2, 0.5, 1.0])
    rows = straggler_grid(task, target=1e-6, lr=0.3, backups=(1,))
    cell = {(row["kind"], row["staleness"], row["backup"]): row for row in rows}
    assert list(dict.fromkeys(row["kind"] for row in rows)) == ["equal", "persistent", "transient"]
    assert len(rows) == 3 * 7
    assert [cell["persistent", s, 0]["makespan_s"] for s in (0, 1, 2, 4, 8, math.inf)] == [800.0] * 6
    assert cell["persistent", 0, 1]["makespan_s"] == 200.0                  # a backup worker is what helps there
    assert [round(cell["transient", s, 0]["speed_up"], 2) for s in (0, 1, 2, 4, 8, math.inf)] \
        == [1.0, 1.41, 1.66, 1.9, 2.04, 2.14]
    seconds = usual_kinds()["transient"].table(8, 200)
    assert cell["transient", 0, 1]["makespan_s"] == np.sort(seconds, axis=0)[6].sum()
    times = [cell["transient", s, 0]["to_target_s"] for s in (0, 1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)
    assert times[-1] < 0.6 * times[0]
    # Under a persistent straggler s only moves the others ahead once; without a limit they do not stop
    far = [cell["persistent", s, 0]["to_target_s"] for s in (0, 8, math.inf)]
    assert far[2] < far[1] < far[0] < math.inf
    assert cell["persistent", 0, 0]["waited"] == pytest.approx(7 * 0.75 / 8, rel=0.01)
    assert cell["persistent", 0, 1]["waited"] == 0.0
    assert cell["transient", math.inf, 0]["waited"] == 0.0
    assert cell["transient", 4, 0]["mean_staleness"] > 0 == cell["transient", 0, 0]["mean_staleness"]


def test_a_cell_of_the_grid_is_a_race_on_servers():
    pace = PACES["exponential"]
    row, = straggler_grid(TASK, target=0.62, lr=1.0, workers=3, steps=40, kinds={"exponential": pace}, staleness=(2,),
                          every=1)
    lane = run_race(TASK, pace, workers=3, lr=1.0, steps=40, modes={"it": SSP(2)},
                    world=lambda n: SimWorld(n, link=Link(0, 0, math.inf), trace=False))["it"]
    assert row["makespan_s"] == pytest.approx(lane.seconds)
    assert row["to_target_s"] == pytest.approx(lane.curve.time_to(0.62))
    assert 0 < row["to_target_s"] < math.inf
    assert len(straggler_grid(TASK, target=0.62, lr=1.0, workers=3, steps=40, kinds={"exponential": pace},
                              staleness=(2,), every=10)[0]["curve"].losses) == 13


# ---- bounded delay ------------------------------------------------------------------------------------------------

def test_time_to_accuracy_over_tau_has_its_minimum_where_the_server_is_always_busy():
    pipeline = Pipeline(workers=4, compute_s=1.0, latency_s=1.0, service_s=0.3)
    rows = time_over_tau(Quadratic([0.2, 0.5, 1.0]), 0.3, 1e-3, pipeline=pipeline, updates=600)
    times = [row["to_target_s"] for row in rows]
    assert [row["tau"] for row in rows] == [0, 1, 2, 4, 8, 16]
    assert times[0] > 2 * times[1] > 2.5 * times[2]
    assert times[2] < times[3] < times[4] == math.inf
    assert pipeline.busy_from == 2
    assert [round(row["updates_per_s"], 1) for row in rows] == [1.2, 2.4, 3.3, 3.3, 3.3, 3.3]
    assert [round(row["mean_staleness"]) for row in rows[:4]] == [3, 7, 11, 19]             # K (τ + 1) - 1


def test_a_pipeline_without_a_network_is_asp_and_with_a_busy_server_a_fixed_delay():
    task = Quadratic([1.0, 2.0])
    free = Pipeline(workers=3, compute_s=1.0, latency_s=0.0, service_s=0.0).run(task, 0, 0.3, updates=60)
    assert free.mean_staleness == pytest.approx(2, abs=0.1)
    assert free.times_s[-1] == 20.0
    # One worker that computes in no time before a server that is always busy: τ requests in the queue, all of one age
    one = Pipeline(workers=1, compute_s=0.01, latency_s=0.0, service_s=1.0)
    for tau in (1, 3):
        edge = stable_rate(2.0, tau)
        assert one.run(task, tau, 0.97 * edge, updates=3000, every=500).losses[-1] < 1e-4
        assert one.run(task, tau, 1.03 * edge, updates=3000, every=500).losses[-1] > 1e4
        assert one.run(task, tau, 0.5 * edge).mean_staleness == pytest.approx(tau, abs=0.01)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: staleness_law(schedule(np.ones((2, 3)), 1)), "limits of staleness"),
    (lambda: law_of_updates([], [], 2), "N at least 1"),
    (lambda: stable_rate_by_experiment(0.0, 1), "curvature=0.0"),
    (lambda: stable_rate_by_experiment(1.0, -1), "staleness=-1"),
    (lambda: ssp_regret(Logistic.made(l2=0.1), np.ones((1, 1)), 0, radius=1.0), "l2=0.1"),
    (lambda: ssp_regret(TASK, np.ones((1, 1)), 0, radius=0), "radius=0"),
    (lambda: ssp_regret(TASK, np.ones((1, 1)), math.inf, radius=1), "staleness=inf"),
    (lambda: Pipeline(workers=0), "workers=0"),
    (lambda: Pipeline(service_s=-1), "service_s=-1"),
    (lambda: Pipeline().run(Quadratic([1.0]), -1, 0.1), "tau=-1"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
