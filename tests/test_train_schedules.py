"""Schedules against torch's, on dense parameters and on rows, wherever they live."""

import pickle

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.data import synthetic_click_log
from pslab.embedding import DenseAdam
from pslab.ps import FTRL, Adam, Custom, Momentum, RowWiseAdaGrad, Uniform
from pslab.train import SGD, AdaGrad, Job, Scheduled, cosine, run_job, step_decay, tables_of, warm_up

LOG = synthetic_click_log(5, train_rows=200, test_rows=10, tables=(20, 12), num_dense=2)
SHAPE = {"tables": tables_of(LOG, 4), "num_dense": 2, "bottom": (6, 4), "top": (6, 1), "seed": 5,
         "init": Uniform(0.5, 5)}
BATCHES = list(LOG.batches(12, 5, 10))


def torch_rates(make, steps):
    """The rates of a scheduler of torch's over a rate of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("ours", "theirs"), [
    (warm_up(4), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 4, 1.0, total_iters=3)),
    (step_decay([3, 7]), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [3, 7], 0.1)),
    (step_decay([2], 0.5), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2], 0.5)),
    (cosine(9), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 9)),
    (cosine(9, 0.2), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 9, eta_min=0.2)),
])
def test_against_torch(ours, theirs):
    assert [ours.factor(step) for step in range(9)] == pytest.approx(torch_rates(theirs, 9), abs=1e-12)


def test_by_hand_and_multiplied():
    assert [warm_up(4).factor(step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert cosine(4, 0.5).factor(100) == 0.5
    both = warm_up(2) * step_decay([3]) * step_decay([4], 0.5)
    assert [both.factor(step) for step in range(5)] == pytest.approx([0.5, 1, 1, 0.1, 0.05])


@pytest.mark.parametrize("rule", [SGD(0.5), AdaGrad(0.1), Adam(0.1), Momentum(0.1), RowWiseAdaGrad(0.1), FTRL(0.1)])
def test_a_scheduled_rule_is_the_rule_at_that_rate(rule):
    """Step by step, against rules made anew for each step; the state is the rule's own."""
    scheduled = pickle.loads(pickle.dumps(Scheduled(rule, warm_up(3) * step_decay([4]))))
    name = "alpha" if isinstance(rule, FTRL) else "lr"
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((4, 3)).astype(np.float32)
    ours, theirs = rows.copy(), rows.copy()
    state, expected = scheduled.new_state(4, 3), rule.new_state(4, 3)
    assert state.shape == expected.shape
    assert (scheduled.state_names, scheduled.slots) == (rule.state_names, rule.slots)
    for t in range(1, 7):
        grads = rng.standard_normal((4, 3)).astype(np.float32)
        scheduled.step(ours, grads.copy(), state, t)
        rate = getattr(rule, name) * scheduled.schedule.factor(t - 1)
        type(rule)(**{**rule.__dict__, name: rate}).step(theirs, grads.copy(), expected, t)
        assert np.array_equal(ours, theirs), t
    assert np.array_equal(state, expected)


@pytest.mark.parametrize("strategy", [pytest.param("allreduce", marks=pytest.mark.long),
                                      pytest.param("server", marks=pytest.mark.long), "hybrid", "exchange"])
def test_dense_and_rows_follow_the_schedule_everywhere(strategy):
    """Against the single process, whose rate torch's optimizer is told; and both parts would notice its absence."""
    rule = Scheduled(AdaGrad(0.2), warm_up(3) * step_decay([6], 0.25))
    single = run_job(SimWorld(1), Job(strategy="single", workers=1, optimizer=rule, **SHAPE), BATCHES)
    constant = run_job(SimWorld(1), Job(strategy="single", workers=1, optimizer=AdaGrad(0.2), **SHAPE), BATCHES)
    job = Job(strategy=strategy, workers=2, servers=2, optimizer=rule, **SHAPE)
    result = run_job(SimWorld(job.world_size), job, BATCHES)
    assert result.losses == pytest.approx(single.losses, abs=1e-5)
    for name, value in single.state.items():
        torch.testing.assert_close(result.state[name], value, rtol=1e-4, atol=1e-5)
        assert float((value - constant.state[name]).abs().max()) > 1e-3, name


def test_the_single_process_is_torch_with_its_scheduler():
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for batch in BATCHES:
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(batch.dense, batch.sparse), batch.labels).backward()
        optimizer.step()
        scheduler.step()
    result = run_job(SimWorld(1), Job(strategy="single", workers=1, optimizer=Scheduled(SGD(0.5), cosine(10)),
                                      **SHAPE), BATCHES)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(result.state[name], value, rtol=1e-4, atol=1e-6)


def test_servers_without_rounds_count_pushes():
    """Two workers' pushes are one step of the schedule where it is told so: push t has that of step (t - 1) // 2."""
    rule = Scheduled(SGD(1.0), step_decay([1, 2]), pushes_per_step=2)
    rows, rates = np.zeros((1, 1), np.float32), []
    for t in range(1, 7):
        before = rows.copy()
        rule.step(rows, np.ones((1, 1), np.float32), rule.new_state(1, 1), t)
        rates.append(float((before - rows)[0, 0]))
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01], rel=1e-3)


def test_dense_adam_still_steps_every_row():
    assert Scheduled(DenseAdam(0.1), warm_up(2)).every_row
    assert not Scheduled(Adam(0.1), warm_up(2)).every_row


@pytest.mark.parametrize(("make", "message"), [
    (lambda: warm_up(0), "steps=0; a whole number from 1"),
    (lambda: cosine(2.5), "steps=2.5"),
    (lambda: cosine(2, 1.5), "lowest=1.5; a number from 0 to 1"),
    (lambda: step_decay([1], -1), "factor=-1"),
    (lambda: Scheduled(0.1, warm_up(1)), "rule=0.1; an update rule"),
    (lambda: Scheduled(SGD(0.1), 3), "schedule=3; one of warm_up"),
    (lambda: Scheduled(Scheduled(SGD(0.1), warm_up(1)), warm_up(1)), "without a schedule"),
    (lambda: Scheduled(SGD(0.1), warm_up(1), 0), "pushes_per_step=0"),
    (lambda: Scheduled(Custom(print), warm_up(1)), "changes its field lr"),
])
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
