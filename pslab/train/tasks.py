"""Small problems to race on: a loss, and the gradient that a worker draws at a step, as pure functions.

    Quadratic       Σ λ_i w_i² / 2, with noise in the gradients      what is stable is known in closed form
    DoubleWell      Σ (w_i² - 1)² / 4: not convex, 2^P minima     the same, for what has more than one valley
    Logistic        classification of made or given rows             convex, Lipschitz, its best loss known to 1e-12
    SparseLogistic  the same, every row with few features            a gradient touches few coordinates

task.gradient(w, worker, step) depends on its arguments and the task's seed alone: every mode, world and order of
events meets the same numbers. Everything is float64.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np


class Task:
    """P = dim parameters. `start` (P,); `best_loss`: the smallest value of `loss`."""

    dim: int
    start: np.ndarray
    best_loss: float

    def loss(self, w: np.ndarray) -> float:
        """What is to become small."""
        raise NotImplementedError

    def gradient(self, w: np.ndarray, worker: int, step: int) -> np.ndarray:
        """(P,) the gradient that this worker computes at its step, both counted from 0."""
        raise NotImplementedError


class Quadratic(Task):
    """loss(w) = Σ λ_i w_i² / 2; the gradient is λ·w, plus noise · a standard normal number in each coordinate.

    curvatures: the λ_i (P,), above 0. start: 1 in every coordinate, or as given.
    """

    best_loss = 0.0

    def __init__(self, curvatures, noise: float = 0.0, seed: int = 0, start=None):
        self.curvatures = np.atleast_1d(np.asarray(curvatures, np.float64))
        if self.curvatures.ndim != 1 or not self.curvatures.size or not (self.curvatures > 0).all():
            raise ValueError(f"curvatures={curvatures!r}; numbers above 0 are needed")
        if not 0 <= noise < np.inf:
            raise ValueError(f"noise={noise!r}; a number from 0 is needed")
        self.dim, self.noise, self.seed = len(self.curvatures), float(noise), seed
        self.start = np.ones(self.dim) if start is None else np.asarray(start, np.float64).reshape(self.dim)

    def loss(self, w):
        return float(self.curvatures @ (w * w)) / 2

    def gradient(self, w, worker, step):
        gradient = self.curvatures * w
        if self.noise:
            gradient = gradient + self.noise * _rng(self.seed, worker, step).standard_normal(self.dim)
        return gradient


class DoubleWell(Task):
    """loss(w) = Σ (w_i² - 1)² / 4, not convex: minima of 0 at every w of -1 and 1, curvature 2 there, and -1 at 0.

    start (P,): a number in (-1, 1) for each coordinate, by default drawn from seed. The gradient is w³ - w, plus
    noise · a standard normal number in each coordinate.
    """

    best_loss = 0.0

    def __init__(self, dim: int = 8, noise: float = 0.0, seed: int = 0, start=None):
        if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
            raise ValueError(f"dim={dim!r}; a whole number from 1 is needed")
        if not 0 <= noise < np.inf:
            raise ValueError(f"noise={noise!r}; a number from 0 is needed")
        self.dim, self.noise, self.seed = dim, float(noise), seed
        self.start = np.random.default_rng(seed).uniform(-1, 1, dim) if start is None else \
            np.asarray(start, np.float64).reshape(dim)

    def loss(self, w):
        return float(((w * w - 1)**2).sum()) / 4

    def gradient(self, w, worker, step):
        gradient = w**3 - w
        if self.noise:
            gradient = gradient + self.noise * _rng(self.seed, worker, step).standard_normal(self.dim)
        return gradient


class Logistic(Task):
    """loss(w) = mean of log(1 + exp(-y x·w)) + l2/2 |w|², over N rows x (N, P), y in {-1, 1}.

    batch: rows in a gradient, drawn with replacement for each (worker, step); None: all of them, every time.
    """

    def __init__(self, x, y, *, batch: int | None = 16, l2: float = 0.0, seed: int = 0):
        self.x, self.y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if self.x.ndim != 2 or self.y.shape != (len(self.x),) or not len(self.x):
            raise ValueError(f"x has shape {self.x.shape} and y {self.y.shape}; (N, P) and (N,) are needed")
        if not np.isin(self.y, (-1, 1)).all():
            raise ValueError("y holds other values than -1 and 1")
        if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
            raise ValueError(f"batch={batch!r}; a whole number from 1, or None for all rows, is needed")
        self.batch, self.l2, self.seed, self.dim = batch, float(l2), seed, self.x.shape[1]
        self.start = np.zeros(self.dim)

    @classmethod
    def made(cls, rows: int = 400, dim: int = 10, *, seed: int = 0, flipped: float = 0.1, **options) -> Logistic:
        """Rows of unit length whose labels a hidden hyperplane gives, a share `flipped` of them turned round."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((rows, dim))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        y = np.where((x @ rng.standard_normal(dim) > 0) ^ (rng.random(rows) < flipped), 1.0, -1.0)
        return cls(x, y, seed=seed, **options)

    def rows(self, worker: int, step: int) -> np.ndarray | slice:
        """The rows of a step's batch."""
        if self.batch is None:
            return slice(None)
        return _rng(self.seed, worker, step).integers(len(self.x), size=self.batch)

    def loss(self, w):
        return self._loss(w, slice(None))

    def step_loss(self, w: np.ndarray, worker: int, step: int) -> float:
        """The loss on the batch of this step alone: the f_t of online learning."""
        return self._loss(w, self.rows(worker, step))

    def gradient(self, w, worker, step):
        rows = self.rows(worker, step)
        x, y = self.x[rows], self.y[rows]
        return -((y * _sigmoid(-y * (x @ w))) @ x) / len(x) + self.l2 * w

    @cached_property
    def best(self) -> np.ndarray:
        """(P,) the minimum, by Newton's method; RuntimeError where there is none (rows that a plane separates)."""
        w = self.start.copy()
        for _ in range(60):
            p = _sigmoid(self.y * (self.x @ w))
            gradient = -((self.y * (1 - p)) @ self.x) / len(self.x) + self.l2 * w
            if np.abs(gradient).max() < 1e-13:
                break
            hessian = (self.x.T * (p * (1 - p))) @ self.x / len(self.x) + (self.l2 + 1e-15) * np.eye(self.dim)
            w = w - np.linalg.solve(hessian, gradient)
        if np.abs(gradient).max() < 1e-10 and self.loss(w) > 1e-9:        # else it only falls on, to 0 at infinity
            return w
        raise RuntimeError("this problem has no minimum that Newton's method finds: give it some l2")

    @cached_property
    def best_loss(self) -> float:
        return self.loss(self.best)

    def _loss(self, w, rows):
        return float(np.logaddexp(0, -self.y[rows] * (self.x[rows] @ w)).mean() + self.l2 / 2 * (w @ w))


class SparseLogistic(Task):
    """Logistic loss of N rows with `touched` features of P each, values ±1; a step is one row and touches its own.

    The more features there are beside `touched`, the seldomer two steps meet in a coordinate.
    """

    def __init__(self, rows: int = 2000, dim: int = 1000, touched: int = 8, *, seed: int = 0):
        for name, value in (("rows", rows), ("dim", dim), ("touched", touched)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}; a whole number from 1 is needed")
        if touched > dim:
            raise ValueError(f"touched={touched}; at most dim={dim} features can be touched")
        rng = np.random.default_rng(seed)
        self.dim, self.seed, self.touched = dim, seed, touched
        self.keys = np.sort(rng.random((rows, dim)).argpartition(touched - 1, axis=1)[:, :touched], axis=1)
        self.values = rng.choice([-1.0, 1.0], (rows, touched))
        hidden = rng.standard_normal(dim)
        self.y = np.where((self.values * hidden[self.keys]).sum(axis=1) > 0, 1.0, -1.0)
        self.start, self.best_loss = np.zeros(dim), 0.0

    def row(self, worker: int, step: int) -> int:
        """The row that this worker takes at this step."""
        return int(_rng(self.seed, worker, step).integers(len(self.y)))

    def loss(self, w):
        return float(np.logaddexp(0, -self.y * (self.values * w[self.keys]).sum(axis=1)).mean())

    def sparse_gradient(self, w: np.ndarray, worker: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(keys (touched,), ascending and distinct; their partial derivatives (touched,)). Reads only w[keys]."""
        row = self.row(worker, step)
        keys, values, y = self.keys[row], self.values[row], self.y[row]
        return keys, -y * float(_sigmoid(-y * (values @ w[keys]))) * values

    def gradient(self, w, worker, step):
        gradient = np.zeros(self.dim)
        keys, values = self.sparse_gradient(w, worker, step)
        gradient[keys] = values
        return gradient


def _rng(seed: int, worker: int, step: int) -> np.random.Generator:
    return np.random.default_rng((seed, worker, step))


def _sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))
