"""FTRL-proximal against the paper's algorithm, one coordinate at a time."""

import math

import numpy as np
import pytest

from pslab.ps import FTRL, Integers, TableConfig
from pslab.ps.shard import Shard

ROWS, DIM = 30, 3


class Coordinate:
    """Algorithm 1 of McMahan et al. (2013) for one coordinate, in Python's double precision."""

    def __init__(self, alpha, beta, l1, l2, weight=0.0):
        self.alpha, self.beta, self.l1, self.l2 = alpha, beta, l1, l2
        self.z = self.n = 0.0
        self.first = weight

    @property
    def weight(self):
        if self.n == 0.0:
            return self.first
        if abs(self.z) <= self.l1:
            return 0.0
        return -(self.z - math.copysign(self.l1, self.z)) / ((self.beta + math.sqrt(self.n)) / self.alpha + self.l2)

    def step(self, g):
        weight = self.weight
        sigma = (math.sqrt(self.n + g * g) - math.sqrt(self.n)) / self.alpha
        self.z += g - sigma * weight
        self.n += g * g


@pytest.mark.parametrize("block_rows", [1, 10_000])
@pytest.mark.parametrize("settings", [(0.1, 1.0, 0.0, 0.0), (0.3, 0.5, 1.0, 0.0), (0.2, 2.0, 0.0, 0.8),
                                      (0.5, 0.1, 2.0, 0.3)])
def test_a_hundred_sparse_steps_equal_the_paper(settings, block_rows):
    shard = Shard(TableConfig("t", DIM, ROWS, rule=FTRL(*settings)), 0, 1)
    shard._block = block_rows
    model = [[Coordinate(*settings) for _ in range(DIM)] for _ in range(ROWS)]
    rng, zeros = np.random.default_rng(7), 0
    for t in range(1, 101):
        where = np.sort(rng.permutation(ROWS)[:rng.integers(1, 12)]) if t % 10 else range(5, 20)
        grads = rng.standard_normal((len(where), DIM)).astype(np.float32)
        grads[rng.random(grads.shape) < 0.2] = 0            # features that are absent
        for row, grad in zip(where, grads.astype(float)):
            for coordinate, g in zip(model[row], grad):
                coordinate.step(g)
        before = shard.rows.copy()
        shard.step(where, grads, t)
        untouched = np.setdiff1d(np.arange(ROWS), where)
        assert np.array_equal(shard.rows[untouched], before[untouched])
        expected = np.array([[coordinate.weight for coordinate in row] for row in model])
        np.testing.assert_allclose(shard.rows, expected, rtol=0, atol=1e-6)
        zeros += (shard.rows[where] == 0).sum() if t > 50 else 0
    assert (zeros > 50) == (settings[2] > 0)                # exact zeros come from l1 alone
    assert not np.signbit(shard.rows[shard.rows == 0]).any()
    z, n = shard.state
    np.testing.assert_allclose(z, [[c.z for c in row] for row in model], rtol=0, atol=2e-5)
    np.testing.assert_allclose(n, [[c.n for c in row] for row in model], rtol=1e-5)


def test_a_first_value_stays_until_the_first_gradient_and_keeps_its_share():
    rule = FTRL(alpha=0.5, beta=1.0, l1=0.0, l2=2.0)
    rows, state = np.full((1, 3), 4.0, np.float32), rule.new_state(1, 3)
    rule.step(rows, np.array([[0.0, 3.0, -1.0]], np.float32), state, 1)
    assert rows[0, 0] == 4.0                                # no gradient yet
    for got, g in zip(rows[0, 1:], (3.0, -1.0)):
        share = abs(g) / (1.0 + abs(g) + 0.5 * 2.0)
        assert got == pytest.approx(4.0 * share - 0.5 * g / (1.0 + abs(g) + 0.5 * 2.0), rel=1e-6)
    whole = FTRL(alpha=0.5, beta=0.0)
    rows, state = np.full((1, 1), 4.0, np.float32), whole.new_state(1, 1)
    whole.step(rows, np.array([[3.0]], np.float32), state, 1)
    assert rows[0, 0] == pytest.approx(4.0 - 0.5, rel=1e-6)  # alpha · sign(g), as AdaGrad's first step


def test_without_penalties_it_is_gradient_descent_at_the_rate_of_each_coordinate():
    """With l1 = l2 = 0 and a start at 0, FTRL and w -= alpha / (beta + √n) · g differ by nothing in exact arithmetic
    where beta = 0: the paper's equivalence (its section 3)."""
    rule = FTRL(alpha=0.5, beta=0.0)
    rows, state = np.zeros((1, 1), np.float32), rule.new_state(1, 1)
    weight, n, rng = 0.0, 0.0, np.random.default_rng(3)
    for t in range(1, 51):
        g = float(np.float32(rng.standard_normal()))
        n += g * g
        weight -= 0.5 / math.sqrt(n) * g
        rule.step(rows, np.array([[g]], np.float32), state, t)
    assert rows[0, 0] == pytest.approx(weight, abs=1e-5)


def test_rows_that_begin_elsewhere_in_a_table():
    shard = Shard(TableConfig("t", 2, 6, rule=FTRL(1.0, l1=10.0), init=Integers(1, 5)), 0, 1)
    first = shard.rows.copy()
    shard.step(np.array([1, 4]), np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), 1)
    changed = np.zeros((6, 2), bool)
    changed[1, 0] = changed[4, 1] = True
    assert np.array_equal(shard.rows != first, changed)
    assert (shard.rows[changed] == 0).all()                 # l1 = 10: both weights are 0 exactly
