"""Steps divided by how large the gradients have been: AdaGrad, row-wise AdaGrad, RMSProp, Adam.

    AdaGrad          n += g²                          row -= lr · g / (√n + eps)
    RowWiseAdaGrad   n += mean of g² over the row     row -= lr · g / (√n + eps)       one n a row
    RMSProp          n  = α·n + (1 - α)·g²            row -= lr · g / (√n + eps)
    Adam             m  = β1·m + (1 - β1)·g           row -= lr · √(1 - β2^t) / (1 - β1^t) · m / (√v + eps)
                     v  = β2·v + (1 - β2)·g²

The square is added *before* the division, and eps stands outside the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from .base import Rule, check


@dataclass(frozen=True)
class AdaGrad(Rule):
    """sum += grad²; row -= lr · grad / (√sum + eps), as torch.optim.Adagrad.

    Duchi, Hazan, Singer (2011), with a diagonal matrix.
    """

    lr: float
    eps: float = 1e-10
    initial_accumulator: float = 0.0
    slots = 1
    state_names = ("sum",)

    def __post_init__(self):
        for name in ("lr", "eps", "initial_accumulator"):
            check(name, getattr(self, name))

    def new_state(self, num_rows, dim):
        return np.full((1, num_rows, self.state_width(dim)), self.initial_accumulator, np.float32)

    def step(self, rows, grads, state, t):
        total = state[0]
        scratch = grads * grads
        total += scratch
        _descend(rows, grads, total, self.eps, self.lr, scratch)


@dataclass(frozen=True)
class RowWiseAdaGrad(AdaGrad):
    """sum += mean(grad² over the row); row -= lr · grad / (√sum + eps): one accumulator a row, state (1, n, 1).

    With rows of one value it is AdaGrad. What embedding tables are trained with (FBGEMM's exact row-wise AdaGrad), as
    its state is 1/dim of AdaGrad's.
    """

    def state_width(self, dim):
        return 1

    def step(self, rows, grads, state, t):
        total = state[0]
        total += np.einsum("nd,nd->n", grads, grads)[:, None] / np.float32(grads.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            grads *= self.lr / (np.sqrt(total) + np.float32(self.eps))
        rows -= grads


@dataclass(frozen=True)
class RMSProp(Rule):
    """square_avg = alpha · square_avg + (1 - alpha) · grad²; row -= lr · grad / (√square_avg + eps).

    As torch.optim.RMSprop; lazy (the average of a row that is not pushed stays).
    """

    lr: float
    alpha: float = 0.99
    eps: float = 1e-8
    slots = 1
    state_names = ("square_avg",)

    def __post_init__(self):
        check("lr", self.lr)
        check("alpha", self.alpha, below=1)
        check("eps", self.eps)

    def step(self, rows, grads, state, t):
        average = state[0]
        average *= self.alpha
        scratch = grads * grads
        scratch *= 1 - self.alpha
        average += scratch
        _descend(rows, grads, average, self.eps, self.lr, scratch)


@dataclass(frozen=True)
class Adam(Rule):
    """Adam on the rows that are pushed, as torch.optim.SparseAdam (Kingma & Ba 2015, end of section 2).

    The t of the bias correction is the table's, not the row's: a row whose first gradient comes in round 1,000 is
    corrected as in round 1,000, by next to nothing (SparseAdam does the same). See Rule.step for t outside of rounds.
    Where every row is pushed every time it is torch.optim.Adam, which divides eps by √(1 - β2^t) besides: no difference
    that matters at eps = 1e-8.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    slots = 2
    state_names = ("exp_avg", "exp_avg_sq")

    def __post_init__(self):
        check("lr", self.lr)
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise ValueError(f"betas={self.betas!r}; a pair of numbers is needed")
        for i, beta in enumerate(self.betas):
            check(f"betas[{i}]", beta, below=1)
        check("eps", self.eps)
        object.__setattr__(self, "betas", tuple(self.betas))

    def step(self, rows, grads, state, t):
        (mean, square), (beta1, beta2) = state, self.betas
        scratch = grads - mean
        scratch *= 1 - beta1
        mean += scratch
        grads *= grads
        np.subtract(grads, square, out=scratch)
        scratch *= 1 - beta2
        square += scratch
        lr = self.lr * sqrt(1 - beta2**t) / (1 - beta1**t)
        _descend(rows, mean, square, self.eps, lr, scratch)


def _descend(rows, direction, squares, eps: float, lr: float, scratch) -> None:
    """rows -= lr · direction / (√squares + eps)."""
    np.sqrt(squares, out=scratch)
    scratch += eps
    with np.errstate(invalid="ignore", divide="ignore"):    # eps = 0 and no gradient yet: 0/0, NaN as in torch
        np.divide(direction, scratch, out=scratch)
    scratch *= lr
    rows -= scratch
