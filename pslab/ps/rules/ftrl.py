"""FTRL-proximal: sparse weights from an online rule (McMahan et al., "Ad Click Prediction", KDD 2013, algorithm 1).

    σ = (√(n + g²) - √n) / α        z += g - σ·w        n += g²

    w =  0                                        where |z| <= l1          <- exact zeros: what L1 buys
        -(z - sign(z)·l1) / ((β + √n)/α + l2)     elsewhere

Every coordinate by itself. The weights are a function of z and n; they are kept as the rows, so that a pull reads them,
and computed anew only in the rows of a push.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Rule, check

_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class FTRL(Rule):
    """FTRL-proximal with rate alpha / (beta + √Σg²) and penalties l1·|w|₁ + l2/2·|w|²; state z and n.

    Rows that begin at another value than 0 (the table's init, or KVWorker.init): z and n begin at 0 all the same, so a
    coordinate w₀ stays as it is until its first gradient g that is not 0, and then counts for the share
    |g| / (β + |g| + α·l2) of w₀ in the weight (all of it where β = l2 = l1 = 0).
    """

    alpha: float
    beta: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    slots = 2
    state_names = ("z", "n")

    def __post_init__(self):
        check("alpha", self.alpha, above_0=True)
        for name in ("beta", "l1", "l2"):
            check(name, getattr(self, name))

    def step(self, rows, grads, state, t):
        z, n = state
        root_before = np.sqrt(n)
        square = grads * grads
        n += square
        root = np.sqrt(n)
        # √(n + g²) - √n as g² / (√(n + g²) + √n): a difference of nearly equal roots would lose its digits.
        root_before += root
        root_before *= self.alpha
        np.maximum(root_before, _TINY, out=root_before)         # no gradient yet: 0 / tiny
        square /= root_before                                   # σ
        square *= rows
        z += grads
        z -= square
        root += self.beta
        root /= self.alpha
        root += self.l2
        weights = np.clip(z, -self.l1, self.l1, out=grads)      # -(z - sign(z)·l1), and exactly 0 within ±l1
        weights -= z
        unseen = n == 0
        if unseen.any():                                        # no gradient yet: w stays what it was
            root[unseen] = 1
            weights[unseen] = rows[unseen]
        np.divide(weights, root, out=rows)
