"""Stochastic rounding: right in the mean, seeded, and what training in bytes needs it for."""

import numpy as np
import pytest
import torch

from pslab.embedding.compressed import Int4Rows, Int8Rows, Stochastic, int4, int8
from pslab.ps import SGD

both = pytest.mark.parametrize("codec", [int8, int4], ids=["int8", "int4"])
DRAWS = 10_000


@pytest.mark.parametrize("row", [[-0.7, 0.31, 0.02, 1.1, 0.5, -0.123, 0.9, 0.0], [1e-6, 3e-6, 2.2e-6, 5e-6]])
@both
def test_the_mean_of_many_draws_is_the_value(codec, row):
    row = np.array(row, np.float32) * (100 if codec is int4 else 1)
    packed = codec.encode(np.tile(row, (DRAWS, 1)), Stochastic(11))
    step = float(codec.scales(packed)[0])
    values = codec.decode(packed).astype(np.float64)
    fraction = (row.astype(np.float64) - values.min(axis=0)) / step
    sigma = step * np.sqrt(np.clip(fraction * (1 - fraction), 0, None) / DRAWS)
    assert (np.abs(values.mean(axis=0) - row) <= 3 * sigma + 1e-6 * np.abs(row).max()).all()
    assert (values.max(axis=0) - values.min(axis=0) <= step * 1.001).all()      # the level below or the level above
    assert (sigma > 0.001 * step).sum() >= len(row) // 2                        # else nothing was tested


def test_int4_ends_lie_outside_of_the_row():
    """Rounded to the nearest float16 an end may lie inside: values beyond it could not be right in the mean."""
    rng = np.random.default_rng(1)
    rows = (rng.standard_normal((2000, 6)) + rng.standard_normal((2000, 1)) * 3).astype(np.float32)
    packed = int4.encode(rows, Stochastic(0))
    scale, bias = packed[:, -4:].copy().view(np.float16).astype(np.float64).T
    assert (bias <= rows.min(axis=1)).all()
    assert (bias + 15 * scale >= rows.max(axis=1)).all()
    plain_scale, plain_bias = int4.encode(rows)[:, -4:].copy().view(np.float16).astype(np.float64).T
    assert not (plain_bias + 15 * plain_scale >= rows.max(axis=1)).all()


@both
def test_seeds(codec):
    rows = np.random.default_rng(2).standard_normal((50, 8)).astype(np.float32)
    first, again, other = (codec.encode(rows, Stochastic(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    source = Stochastic(5)
    assert not np.array_equal(codec.encode(rows, source), codec.encode(rows, source))     # it goes on drawing
    for seed in (-1, 1.5, True, [3, -1]):
        with pytest.raises(ValueError, match="whole number from 0"):
            Stochastic(seed)


@pytest.mark.parametrize(("kind", "levels"), [(Int8Rows, 255), (Int4Rows, 15)])
def test_nearest_loses_small_updates_and_stochastic_keeps_them_in_the_mean(kind, levels):
    """200 rows from 0 to 1, pushed 100 times by a tenth of a level: nearest stays, stochastic moves ten levels."""
    weight = np.tile(np.array([0, 0.5, 0.5, 0.5, 0.5, 1], np.float32), (200, 1))
    ids, push = np.arange(200), np.zeros((200, 6), np.float32)
    push[:, 1:5] = -0.1 / levels
    steps = 100 if kind is Int8Rows else 40
    moved = {}
    for rounding in ("nearest", "stochastic"):
        table = kind.from_rows(weight, rule=SGD(1.0), rounding=rounding, seed=3)
        start = table.rows(ids)
        for _ in range(steps):
            table.update(ids, push)
        moved[rounding] = (table.rows(ids) - start)[:, 1:5].numpy() * levels
    assert np.array_equal(moved["nearest"], np.zeros((200, 4)))
    # Each step adds a variance of at most 1/4 of a level² to each of the 800 values.
    sigma = np.sqrt(steps / 4 / 800)
    assert abs(moved["stochastic"].mean() - steps / 10) <= 3 * sigma


def test_a_run_that_is_resumed_draws_what_it_would_have_drawn():
    rng = np.random.default_rng(4)
    batches = [(rng.integers(0, 30, 12), rng.standard_normal((12, 4)).astype(np.float32)) for _ in range(6)]
    whole, first, second = (Int8Rows(30, 4, rule=SGD(0.1), seed=9) for _ in range(3))
    for ids, grads in batches:
        whole.update(ids, grads)
    for ids, grads in batches[:3]:
        first.update(ids, grads)
    second.load_state_dict(first.state_dict())
    for ids, grads in batches[3:]:
        second.update(ids, grads)
    assert torch.equal(whole.packed, second.packed)
    assert not torch.equal(whole.packed, first.packed)
    other = Int8Rows(30, 4, rule=SGD(0.1), seed=10)
    other.load_state_dict(first.state_dict())
    for ids, grads in batches[3:]:
        other.update(ids, grads)
    assert not torch.equal(whole.packed, other.packed)
