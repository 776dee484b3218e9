"""The models that live in tables: gradients equal torch's, sums of parts equal the whole, baselines by closed form."""

import numpy as np
import pytest
import torch

from pslab.data import SparseRows
from pslab.models import (
    bias_only,
    factorisation_step,
    first_layers,
    guesses,
    layer_shapes,
    logistic_accuracy,
    logistic_scores,
    logistic_step,
    mlp_scores,
    mlp_step,
    rmse,
    sigmoid,
    sparse_batch,
)


def rows_of(dense: np.ndarray, labels) -> SparseRows:
    """Features numbered from 1."""
    where = [np.flatnonzero(row) for row in dense]
    values = np.concatenate([row[at] for row, at in zip(dense, where)]).astype(np.float32)
    starts = np.concatenate(([0], np.cumsum([len(at) for at in where])))
    return SparseRows(starts, np.concatenate(where) + 1, values, np.asarray(labels, np.float32))


@pytest.fixture
def some():
    """13 rows with 9 features, two of which nobody has; a row without any."""
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((13, 9)) < 0.4, rng.normal(size=(13, 9)), 0).astype(np.float32)
    dense[:, [3, 8]] = dense[5] = 0
    return dense, (rng.random(13) < 0.5).astype(np.float32), rng.normal(size=(10, 1)).astype(np.float32)


def test_logistic_gradient_is_torchs(some):
    dense, labels, weights = some
    batch = sparse_batch(rows_of(dense, labels))
    assert batch.keys.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    loss, gradient = logistic_step(weights[batch.keys], batch)
    w = torch.tensor(weights, requires_grad=True)
    z = w[0] + torch.tensor(dense) @ w[1:, 0]
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(z, torch.tensor(labels), reduction="sum")
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, w.grad[batch.keys], atol=1e-5)
    np.testing.assert_allclose(logistic_scores(weights[batch.keys], batch), z.detach(), atol=1e-5)
    assert logistic_accuracy(weights, rows_of(dense, labels)) == ((z > 0) == torch.tensor(labels > 0.5)).float().mean()


def test_logistic_sums_of_parts_are_the_whole(some):
    dense, labels, weights = some
    rows, whole = rows_of(dense, labels), np.zeros((10, 1))
    for part in (rows[:4], rows[4:]):
        batch = sparse_batch(part)
        whole[batch.keys] += logistic_step(weights[batch.keys], batch)[1]
    batch = sparse_batch(rows)
    np.testing.assert_allclose(logistic_step(weights[batch.keys], batch)[1], whole[batch.keys], atol=1e-5)


def test_sigmoid_and_loss_far_out():
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-700.0, 0.0, 700.0])).tolist() == [pytest.approx(0, abs=1e-300), 0.5, 1.0]
    rows = rows_of(np.array([[1.0], [1.0]], np.float32), [0, 1])
    loss, gradient = logistic_step(np.array([[0], [2000]], np.float32), sparse_batch(rows))
    assert loss == 2000
    assert gradient.tolist() == [[1], [1]]


def test_factorisation_gradient_is_torchs():
    rng = np.random.default_rng(2)
    users, items = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32)
    user_of, item_of = np.array([0, 2, 1, 0, 0, 2]), np.array([3, 0, 1, 1, 2, 3])
    ratings = rng.integers(1, 6, 6).astype(np.float32)
    loss, user_grads, item_grads = factorisation_step(users, items, user_of, item_of, ratings, 3.5, 0.1)
    u, v = (torch.tensor(rows, requires_grad=True) for rows in (users, items))
    a, b = u[user_of], v[item_of]
    miss = torch.tensor(ratings) - (3.5 + a[:, 0] + b[:, 0] + (a[:, 1:] * b[:, 1:]).sum(1))
    (0.5 * (miss**2).sum() + 0.05 * ((a**2).sum() + (b**2).sum())).backward()
    assert loss == pytest.approx((miss**2).sum().item(), rel=1e-5)
    np.testing.assert_allclose(user_grads, u.grad, atol=1e-4)
    np.testing.assert_allclose(item_grads, v.grad, atol=1e-4)
    np.testing.assert_allclose(guesses(users[user_of], items[item_of], 3.5), ratings - miss.detach().numpy(), atol=1e-5)


def test_rmse_cuts_off_what_no_rating_can_be():
    assert rmse(np.array([0.0, 9.0, 3.0]), np.array([1.0, 5.0, 2.0])) == pytest.approx((1 / 3) ** 0.5)
    assert rmse(np.array([0.0]), np.array([1.0]), low=-1) == 1.0


def test_biases_solve_their_equations():
    rng = np.random.default_rng(4)
    users, items, ratings = rng.integers(0, 6, 80), rng.integers(0, 7, 80), rng.integers(1, 6, 80)
    mean, of_user, of_item = bias_only(users, items, ratings, 6, 8, reg=2.0, sweeps=200)
    miss = ratings - mean - of_user[users] - of_item[items]
    for bias, who, count in ((of_user, users, 6), (of_item, items, 8)):         # no gradient is left
        np.testing.assert_allclose(np.bincount(who, miss, count), 2.0 * bias, atol=1e-9)
    assert of_item[7] == 0, "an item that nobody rated"


@pytest.mark.parametrize("sizes", [(6, 4), (6, 5, 4), (6, 5, 3, 4)])
def test_mlp_gradient_is_torchs(sizes):
    rng = np.random.default_rng(5)
    inputs, labels = rng.normal(size=(7, 6)).astype(np.float32), rng.integers(0, 4, 7)
    layers = first_layers(sizes, seed=1)
    assert [layer.shape for layer in layers] == layer_shapes(sizes)
    for number, layer in enumerate(layers):
        layer[:, 0] = rng.normal(size=len(layer)) + number
    loss, grads = mlp_step(layers, inputs, labels, scale=0.25)
    params, x = [torch.tensor(layer, requires_grad=True) for layer in layers], torch.tensor(inputs)
    for number, param in enumerate(params):
        x = (torch.relu(x) if number else x) @ param[:, 1:].T + param[:, 0]
    theirs = torch.nn.functional.cross_entropy(x, torch.tensor(labels), reduction="sum")
    (theirs * 0.25).backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-5)
    np.testing.assert_allclose(mlp_scores(layers, inputs), x.detach(), atol=1e-5)
    for mine, param in zip(grads, params):
        np.testing.assert_allclose(mine, param.grad, atol=1e-5)


def test_first_layers_are_those_of_the_seed():
    one, again, other = (first_layers((64, 32, 10), seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again))
    assert not np.array_equal(one[0], other[0])
    assert not one[0][:, 0].any()
    assert one[0][:, 1:].std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


@pytest.mark.parametrize("sizes", [(5,), (5, 0), (5, 2.0), ()])
def test_sizes_that_are_none(sizes):
    with pytest.raises(ValueError, match="two or more whole numbers from 1"):
        layer_shapes(sizes)
