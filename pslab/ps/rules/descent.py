"""Plain gradient steps, and steps with a memory of direction.

    SGD           row -= lr · g
    Momentum      v = μ·v + g      row -= lr · v               nesterov: row -= lr · (g + μ·v)

v is kept for each row and changes only in steps that push the row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Rule, check


@dataclass(frozen=True)
class SGD(Rule):
    """row -= lr · grad, as torch.optim.SGD without momentum."""

    lr: float
    scratches = False

    def __post_init__(self):
        check("lr", self.lr)

    def step(self, rows, grads, state, t):
        rows -= grads * np.float32(self.lr)


@dataclass(frozen=True)
class Momentum(Rule):
    """v = momentum · v + grad; row -= lr · v, or with nesterov lr · (grad + momentum · v): as torch.optim.SGD.

    Lazy: in a step that does not push a row, torch lets v fade and moves the row on; here neither happens.
    """

    lr: float
    momentum: float = 0.9
    nesterov: bool = False
    slots = 1
    state_names = ("momentum_buffer",)

    def __post_init__(self):
        check("lr", self.lr)
        check("momentum", self.momentum, below=1)
        if not isinstance(self.nesterov, bool):
            raise ValueError(f"nesterov={self.nesterov!r}; True or False is needed")

    def step(self, rows, grads, state, t):
        velocity = state[0]
        velocity *= self.momentum
        velocity += grads
        if self.nesterov:
            grads += self.momentum * velocity
            grads *= self.lr
            rows -= grads
        else:
            rows -= self.lr * velocity
