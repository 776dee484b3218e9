"""Update rules against torch.optim."""

import numpy as np
import pytest
import torch

from pslab.ps import SGD, AdaGrad, Integers, TableConfig
from pslab.ps.shard import Shard

ROWS, DIM = 50, 3
CASES = {
    "sgd": (SGD(0.3), lambda p: torch.optim.SGD(p, lr=0.3)),
    "sgd-other-lr": (SGD(0.07), lambda p: torch.optim.SGD(p, lr=0.07)),
    "adagrad": (AdaGrad(0.3), lambda p: torch.optim.Adagrad(p, lr=0.3)),
    "adagrad-eps": (AdaGrad(0.3, eps=0.5), lambda p: torch.optim.Adagrad(p, lr=0.3, eps=0.5)),
    "adagrad-start": (AdaGrad(0.1, initial_accumulator=0.7),
                      lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.7)),
}


@pytest.mark.parametrize("block_rows", [1, 7, 10_000])
@pytest.mark.parametrize("case", CASES)
def test_a_hundred_sparse_steps_equal_torch(case, block_rows):
    rule, optimizer = CASES[case]
    shard = Shard(TableConfig("t", DIM, ROWS, rule=rule, init=Integers(-3, 4)), 0, 1)
    shard._block = block_rows
    parameter = torch.nn.Parameter(torch.from_numpy(shard.rows.copy()))
    optimizer = optimizer([parameter])
    rng = np.random.default_rng(5)
    for step in range(100):
        keys = np.sort(rng.permutation(ROWS)[:rng.integers(1, 12)])
        where = range(10, 30) if step % 10 == 9 else keys
        grads = rng.standard_normal((len(where), DIM)).astype(np.float32)
        dense = torch.zeros(ROWS, DIM)
        dense[list(where)] = torch.from_numpy(grads.copy())
        before, state_before = shard.rows.copy(), shard.state.copy()
        parameter.grad = dense
        optimizer.step()
        shard.step(where, grads, t=step + 1)
        untouched = np.setdiff1d(np.arange(ROWS), np.array(list(where)))
        assert np.array_equal(shard.rows[untouched], before[untouched])             # to the last bit
        assert np.array_equal(shard.state[:, untouched], state_before[:, untouched])
    np.testing.assert_allclose(shard.rows, parameter.detach().numpy(), rtol=0, atol=1e-6)
    assert (shard.rows != TableConfig("t", DIM, ROWS, init=Integers(-3, 4)).initial_rows()).any(1).all()
    if isinstance(rule, AdaGrad):
        np.testing.assert_allclose(shard.state[0], optimizer.state[parameter]["sum"].numpy(), rtol=1e-6)


def test_slots_say_how_much_state_there_is():
    assert (SGD(1.0).slots, AdaGrad(1.0).slots) == (0, 1)
    assert SGD(1.0).new_state(5, 2).shape == (0, 5, 2)
    state = AdaGrad(1.0, initial_accumulator=0.5).new_state(5, 2)
    assert state.shape == (1, 5, 2)
    assert state.dtype == np.float32
    assert (state == 0.5).all()


def test_first_adagrad_step_is_the_learning_rate():
    """The square is added before dividing: with a zero accumulator the first step is lr · sign(grad)."""
    rows, grads = np.zeros((1, 3), np.float32), np.array([[5.0, -0.01, 0.0]], np.float32)
    AdaGrad(0.25).step(rows, grads, AdaGrad(0.25).new_state(1, 3), 1)
    np.testing.assert_allclose(rows, [[-0.25, 0.25, 0.0]], rtol=1e-6)


def test_nan_stays_in_its_row():
    shard = Shard(TableConfig("t", 2, 4, rule=AdaGrad(0.1)), 0, 1)
    shard.step(np.array([0, 2]), np.array([[np.nan, 1], [1, 1]], np.float32), 1)
    assert np.isnan(shard.rows).sum() == 1
    assert np.isnan(shard.rows[0, 0])


@pytest.mark.parametrize(("make", "words"), [
    (lambda: SGD(-0.1), "lr=-0.1"), (lambda: SGD(float("nan")), "lr=nan"), (lambda: AdaGrad(float("inf")), "lr=inf"),
    (lambda: AdaGrad(0.1, eps=-1), "eps=-1"), (lambda: AdaGrad(0.1, initial_accumulator=-1), "initial_accumulator=-1")])
def test_rules_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()
