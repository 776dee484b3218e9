"""The small tasks against torch and scipy; replays against plain SGD and against a literal run of the rule."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from pslab.collectives import stable_rate
from pslab.train import (
    DoubleWell,
    Logistic,
    Pace,
    Quadratic,
    SparseLogistic,
    WarmUp,
    backup_rounds,
    over_staleness,
    replay,
    replay_rounds,
    schedule,
)

TASKS = {"quadratic": Quadratic([0.5, 2.0, 3.0], noise=0.1, seed=4), "wells": DoubleWell(3, noise=0.1, seed=4),
         "logistic": Logistic.made(60, 5, l2=0.01, seed=2),
         "sparse": SparseLogistic(50, 30, 4, seed=3)}


# ---- tasks --------------------------------------------------------------------------------------------------------

def test_gradients_are_those_of_torch():
    w = torch.tensor(np.random.default_rng(0).standard_normal(5), requires_grad=True)
    task = TASKS["logistic"]
    rows = task.rows(3, 7)
    x, y = torch.tensor(task.x[rows]), torch.tensor(task.y[rows])
    loss = torch.nn.functional.softplus(-y * (x @ w)).mean() + 0.005 * (w @ w)
    loss.backward()
    assert np.allclose(task.gradient(w.detach().numpy(), 3, 7), w.grad, atol=1e-14)
    assert task.step_loss(w.detach().numpy(), 3, 7) == pytest.approx(loss.item(), rel=1e-12)

    v = torch.tensor(np.random.default_rng(1).standard_normal(30), requires_grad=True)
    sparse = TASKS["sparse"]
    row = sparse.row(1, 2)
    x = torch.zeros(30, dtype=torch.float64)
    x[sparse.keys[row]] = torch.tensor(sparse.values[row])
    torch.nn.functional.softplus(-sparse.y[row] * (x @ v)).backward()
    assert np.allclose(sparse.gradient(v.detach().numpy(), 1, 2), v.grad, atol=1e-14)
    keys, values = sparse.sparse_gradient(v.detach().numpy(), 1, 2)
    assert keys.tolist() == sorted(set(keys.tolist()))
    assert len(values) == 4
    plain = Quadratic([0.5, 2.0])
    assert plain.gradient(np.array([2.0, 3.0]), 0, 0).tolist() == [1.0, 6.0]
    assert plain.loss(np.array([2.0, 3.0])) == 10.0


@pytest.mark.parametrize("name", TASKS)
def test_a_gradient_depends_on_worker_and_step_alone_and_is_right_in_the_mean(name):
    task = TASKS[name]
    w = np.random.default_rng(5).standard_normal(task.dim)
    first = task.gradient(w, 1, 2)
    task.gradient(w, 0, 0)
    assert np.array_equal(task.gradient(w, 1, 2), first)
    assert not np.array_equal(task.gradient(w, 2, 1), first)
    drawn = np.mean([task.gradient(w, k, t) for k in range(4) for t in range(500)], axis=0)
    step = 1e-6
    slopes = [(task.loss(w + step * e) - task.loss(w - step * e)) / (2 * step) for e in np.eye(task.dim)]
    assert np.allclose(drawn, slopes, atol=0.03)


def test_the_best_of_logistic_regression_is_the_one_that_scipy_finds():
    for l2 in (0.0, 0.01):
        task = Logistic.made(200, 6, seed=1, l2=l2)
        found = minimize(task.loss, task.start, tol=1e-12)
        assert np.allclose(found.x, task.best, atol=1e-4)
        assert task.best_loss <= found.fun + 1e-12
    with pytest.raises(RuntimeError, match="l2"):
        _ = Logistic([[1.0], [-1.0]], [1, -1]).best


# ---- replays ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("s", [0, 2, math.inf])
def test_one_worker_is_plain_sgd_bit_for_bit(name, s):
    task = TASKS[name]
    w = task.start.copy()
    for step in range(25):
        w = w - 0.3 * task.gradient(w, 0, step)
    curve = replay(task, schedule(np.ones((1, 25)), s), 0.3, compensation=0.7)
    assert np.array_equal(curve.weights, w)
    assert curve.losses[-1] == task.loss(w)
    assert curve.updates == 25
    assert curve.mean_staleness == 0


def test_rounds_are_minibatch_sgd_with_the_mean_gradient():
    task = TASKS["logistic"]
    w = task.start.copy()
    for step in range(20):
        w = w - 0.5 * np.mean([task.gradient(w, worker, step) for worker in range(3)], axis=0)
    seconds = Pace.exponential(1.0, seed=1).table(3, 20)
    curve = replay(task, schedule(seconds, 0), 0.5)
    assert np.allclose(curve.weights, w, atol=1e-14)
    assert np.array_equal(curve.times_s[1:], np.cumsum(seconds.max(axis=0)))


def literal(task, seconds, s, lr, lam, scale, warm, horizon_s):
    """ASP and SSP word by word, at moments that are all different."""
    K, T = seconds.shape
    plan = schedule(seconds, s)
    moments = sorted([(plan.starts[r, c], 1, r, c) for r in range(K) for c in range(T)]
                     + [(plan.ends[r, c], 0, r, c) for r in range(K) for c in range(T)])
    w, then, count, log = task.start.copy(), {}, 0, []
    for now, is_read, r, c in moments:
        if is_read:
            then[r] = (w.copy(), count)
        elif now <= horizon_s:
            old, at = then[r]
            g = task.gradient(old, r, c)
            g = g + lam * g * g * (w - old)
            w = w - lr / K * scale(count - at) * warm(c) * g
            count += 1
            log.append((now, task.loss(w)))
    return w, log


@pytest.mark.parametrize("s", [1, math.inf])
def test_an_asynchronous_replay_is_the_rule_word_by_word_with_every_option(s):
    task, seconds = TASKS["logistic"], Pace.exponential(1.0, seed=8).table(4, 30)
    warm = WarmUp(10, first=0.1)
    w, log = literal(task, seconds, s, 2.0, 0.6, over_staleness, warm, 22.0)
    options = {"compensation": 0.6, "scale": over_staleness, "warm_up": warm, "horizon_s": 22.0}
    curve = replay(task, schedule(seconds, s), 2.0, **options)
    assert np.allclose(curve.weights, w, rtol=1e-12)
    assert np.allclose(np.stack([curve.times_s, curve.losses], axis=1)[1:], log, rtol=1e-12)
    assert curve.updates == len(log) < 120
    for name in options:                         # leave one out, and the result is another one
        less = {key: value for key, value in options.items() if key != name}
        assert not np.allclose(replay(task, schedule(seconds, s), 2.0, **less).weights, w, rtol=1e-6), name
    assert len(replay(task, schedule(seconds, s), 2.0, every=5, **options).losses) == 1 + curve.updates // 5
    by_step = replay(task, schedule(seconds, s), lambda worker, step: 2.0 * warm(step),
                     **{**options, "warm_up": None})
    assert np.allclose(by_step.weights, w, rtol=1e-12)


def test_backup_rounds_train_on_the_mean_of_those_used():
    task, seconds = TASKS["quadratic"], Pace.exponential(1.0, seed=8).table(4, 12)
    took, used = backup_rounds(seconds, 1)
    w = task.start.copy()
    for t in range(12):
        w = w - 0.2 * np.mean([task.gradient(w, r, t) for r in range(4) if used[r, t]], axis=0)
    curve = replay_rounds(task, np.cumsum(took), used, 0.2)
    assert np.allclose(curve.weights, w, rtol=1e-12)
    assert curve.updates == 36
    assert curve.times_s[-1] == pytest.approx(took.sum())
    assert replay_rounds(task, np.cumsum(took), used, 0.2, horizon_s=took[:5].sum()).updates == 15


def test_views_are_what_the_steps_read():
    task = TASKS["quadratic"]
    plan = schedule(np.ones((1, 4)), math.inf)
    curve = replay(task, plan, 0.1, keep_views=True)
    assert np.array_equal(curve.views[0, 0], task.start)
    assert np.array_equal(curve.views[0, 3] - 0.1 * task.gradient(curve.views[0, 3], 0, 3), curve.weights)


@pytest.mark.parametrize("K", [2, 4, 7])
def test_equal_workers_are_stable_up_to_the_rate_of_staleness_k_minus_1(K):
    task, plan = Quadratic([3.0]), schedule(np.ones((K, 400)), math.inf)
    edge = K * stable_rate(3.0, K - 1)              # a worker's share of the rate is 1/K
    assert replay(task, plan, 0.98 * edge, every=100).losses[-1] < 1e-2
    assert replay(task, plan, 1.02 * edge, every=100).losses[-1] > 1e2


def test_in_a_valley_of_a_loss_that_is_not_convex_the_same_edge_holds():
    """At a minimum of the wells the curvature is 2; beyond the edge a stale run swings on."""
    task, plan = DoubleWell(4, start=[0.9, -0.9, 0.8, -0.7]), schedule(np.ones((4, 500)), math.inf)
    edge = 4 * stable_rate(2.0, 3)
    calm = replay(task, plan, 0.95 * edge, every=100)
    assert calm.losses[-1] < 1e-6
    assert np.array_equal(np.sign(calm.weights), np.sign(task.start))
    assert replay(task, plan, 1.05 * edge, every=100).losses[-1] > 1e-3


def test_what_diverges_ends_early_and_never_reaches_its_target():
    curve = replay(Quadratic([1.0]), schedule(np.ones((4, 400)), math.inf), 40.0)
    assert curve.updates < 1600
    assert curve.losses[-1] > 1e11
    assert curve.time_to(0.1) == math.inf
    assert replay(Quadratic([1.0]), schedule(np.ones((4, 50)), math.inf), 1e-6).time_to(0.1) == math.inf


def test_compensation_at_a_high_rate_comes_near_to_what_no_staleness_gives():
    task, K = Logistic.made(400, 10, batch=1, flipped=0.0, l2=0.001), 16
    plan = schedule(np.ones((K, 100)), math.inf)
    gap = {lam: replay(task, plan, 80, compensation=lam).losses[-400:].mean() - task.best_loss for lam in (0.0, 1.0)}
    fresh = replay(task, schedule(np.ones((1, 1600)), 0), 80 / K).losses[-400:].mean() - task.best_loss
    assert gap[0.0] > 2 * gap[1.0]
    assert gap[1.0] < 1.3 * fresh


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Quadratic([1, 0]), "curvatures="),
    (lambda: Quadratic([1], noise=-1), "noise=-1"),
    (lambda: DoubleWell(0), "dim=0"),
    (lambda: DoubleWell(noise=-1), "noise=-1"),
    (lambda: Logistic([[1.0]], [0]), "other values than -1 and 1"),
    (lambda: Logistic([[1.0]], [1, 1]), "shape"),
    (lambda: Logistic([[1.0]], [1], batch=0), "batch=0"),
    (lambda: SparseLogistic(touched=9, dim=8), "touched=9"),
    (lambda: SparseLogistic(rows=0), "rows=0"),
    (lambda: WarmUp(-1), "steps=-1"),
    (lambda: WarmUp(1, 2), "first=2"),
    (lambda: replay(TASKS["quadratic"], schedule(np.ones((1, 1)), 1), 0.1, every=0), "every=0"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
