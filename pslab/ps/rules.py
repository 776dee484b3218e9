"""What a summed gradient does to the rows it belongs to.

    step(rows, grads, state, t)      rows (n, dim)  grads (n, dim)  state (slots, n, dim), all float32, in place

A rule is elementwise over rows: the server may cut a step into blocks of rows, in any order, and takes *one* step for
the summed gradients of equal ids (FBGEMM calls that exact). Rows that nobody pushed are not touched.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real

import numpy as np


class Rule(ABC):
    """An update rule. `slots` is the number of float32 values it keeps beside each parameter."""

    slots: int = 0

    def new_state(self, num_rows: int, dim: int) -> np.ndarray:
        """State before the first step: (slots, num_rows, dim) float32."""
        return np.zeros((self.slots, num_rows, dim), np.float32)

    @abstractmethod
    def step(self, rows: np.ndarray, grads: np.ndarray, state: np.ndarray, t: int) -> None:
        """One step for n distinct rows; t counts from 1 (BSP: round + 1). grads is scratch afterwards."""


@dataclass(frozen=True)
class SGD(Rule):
    """row -= lr · grad, as torch.optim.SGD without momentum."""

    lr: float

    def __post_init__(self):
        _check("lr", self.lr)

    def step(self, rows, grads, state, t):
        grads *= self.lr
        rows -= grads


@dataclass(frozen=True)
class AdaGrad(Rule):
    """sum += grad²; row -= lr · grad / (√sum + eps), as torch.optim.Adagrad: the square is added first.

    eps stands outside the root. Duchi, Hazan, Singer (2011), with a diagonal matrix.
    """

    lr: float
    eps: float = 1e-10
    initial_accumulator: float = 0.0
    slots = 1

    def __post_init__(self):
        _check("lr", self.lr)
        _check("eps", self.eps)
        _check("initial_accumulator", self.initial_accumulator)

    def new_state(self, num_rows, dim):
        return np.full((1, num_rows, dim), self.initial_accumulator, np.float32)

    def step(self, rows, grads, state, t):
        total = state[0]
        scratch = grads * grads
        total += scratch
        np.sqrt(total, out=scratch)
        scratch += self.eps
        with np.errstate(invalid="ignore"):         # eps = 0 and no gradient yet: 0/0, NaN as in torch
            np.divide(grads, scratch, out=scratch)
        scratch *= self.lr
        rows -= scratch


def _check(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < float("inf"):
        raise ValueError(f"{name}={value!r}; 0 or a finite number above is needed")
