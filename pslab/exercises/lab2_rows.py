"""2.2 and 2.3: what is right of AdaGrad and FTRL on rows, in float64, key by key, and what the usual slips compute.

    AdaGrad   n += g²              row −= lr · g / (√n + eps)                      as torch.optim.Adagrad
    FTRL      σ = (√(n + g²) − √n) / α       z += g − σ·w       n += g²
              w = 0                                         where |z| <= l1
              w = −(z − sign(z)·l1) / ((β + √n)/α + l2)     elsewhere              McMahan et al. 2013, algorithm 1

g is the sum over equal keys of a push. Rows of other keys, and their bits, stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

STEPS = 100


@dataclass(frozen=True)
class Problem:
    """A table (R, D), pushes [(keys (n,), grads (n, D))], settings of the rule; rows from `first_idle` on are idle."""

    table: np.ndarray
    pushes: list[tuple[np.ndarray, np.ndarray]]
    settings: dict = field(default_factory=dict)

    @property
    def touched(self) -> np.ndarray:
        return np.unique(np.concatenate([keys for keys, _ in self.pushes]))

    def given(self) -> tuple:
        """As the student's process gets it."""
        pushes = [(torch.from_numpy(keys), torch.from_numpy(grads)) for keys, grads in self.pushes]
        return torch.from_numpy(self.table.copy()), pushes


def problem(rng, R: int = 40, D: int = 3, steps: int = STEPS, n: int = 8, zero: bool = False, repeats: bool = True,
            **settings) -> Problem:
    """Random pushes to the first three quarters of the rows. zero: pushed rows begin as 0, idle ones hold anything."""
    busy = max(1, R * 3 // 4)
    table = (0.1 * rng.standard_normal((R, D))).astype(np.float32)      # small, so that float32 is far below 1e-6
    table[busy + 1::3] = -0.0
    if zero:
        table[:busy] = 0
    def keys() -> np.ndarray:
        found = rng.choice(busy, min(n, busy), replace=False)
        if repeats and n > 3:
            found[-2:] = found[0]
        return rng.permutation(found).astype(np.int64)
    pushes = [(k, rng.standard_normal((len(k), D)).astype(np.float32)) for k in (keys() for _ in range(steps))]
    return Problem(table, pushes, settings)


def after(p: Problem, rule: str, slip: str = "") -> np.ndarray:
    """(R, D) float64: the rows after all pushes by 'adagrad' or 'ftrl', in the right way or with a slip."""
    rows, state = p.table.astype(np.float64), {}
    for keys, grads in p.pushes:
        for key, parts in _parts(keys, grads.astype(np.float64), slip):
            g = sum(parts)
            one = _adagrad if rule == "adagrad" else _ftrl
            rows[key] = one(rows[key], state.setdefault(key, {}), g, parts, slip, **p.settings)
        if slip == "2/untouched-row-moved":
            rows[[key for key in range(len(rows)) if key not in state]] = 0.0
    return rows


def _parts(keys, grads, slip: str) -> list[tuple[int, list]]:
    """(key, its gradients) of each step of a push."""
    together: dict[int, list] = {}
    for key, grad in zip(keys.tolist(), grads):
        together.setdefault(key, []).append(grad)
    if slip == "2/duplicates-one-by-one":
        return [(key, [grad]) for key, grads in together.items() for grad in grads]
    if slip == "2/last-duplicate-wins":
        return [(key, grads[-1:]) for key, grads in together.items()]
    return list(together.items())


def _adagrad(w, state, g, parts, slip, lr=0.1, eps=1e-10):
    old = state.get("n", np.zeros_like(w))
    square = np.full_like(g, (g * g).mean()) if slip == "2/one-sum-for-a-row" else g * g
    if slip == "2/squares-before-the-sum":
        square = sum(part * part for part in parts)
    if slip == "2/not-squared":
        square = np.abs(g)
    n = square if slip == "2/forgets-its-sum" else old + square
    state["n"] = n
    used = old if slip == "2/divided-first" else n
    if slip == "2/no-root":
        return w - lr * g / (used + eps)
    if slip == "2/eps-inside-the-root":
        return w - lr * g / np.sqrt(used + eps)
    step = lr * g / (np.sqrt(used) + eps)
    return w + step if slip == "2/gradient-added" else w - step


def _ftrl(w, state, g, parts, slip, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    n, z = state.get("n", np.zeros_like(w)), state.get("z", np.zeros_like(w))
    square = sum(part * part for part in parts) if slip == "2/squares-before-the-sum" else g * g
    new = n + square
    sigma = (np.sqrt(new) - np.sqrt(n)) / (1.0 if slip == "2/sigma-without-alpha" else alpha)
    if slip == "2/sigma-forgotten":
        sigma = 0.0
    z = z + g - sigma * w
    state["n"], state["z"] = new, z
    root = np.sqrt(n if slip == "2/divided-first" else new)
    beta = 0.0 if slip == "2/beta-forgotten" else beta
    l2 = 0.0 if slip == "2/l2-forgotten" else l2
    with np.errstate(divide="ignore", invalid="ignore"):
        if slip == "2/threshold-on-the-weight":
            stepped = -z / ((beta + root) / alpha + l2)
            return np.sign(stepped) * np.maximum(np.abs(stepped) - l1, 0)
        pull = z if slip in ("2/l1-forgotten", "2/l1-only-a-gate") else z - np.sign(z) * l1
        weight = -pull / ((beta + root) / alpha + l2)
    if slip == "2/gradient-added":
        weight = -weight
    if slip == "2/l1-forgotten":
        return weight
    return np.where(np.abs(z) <= l1, w if slip == "2/small-weights-kept" else 0.0, weight)


SLIPS = {
    "adagrad": ("2/divided-first", "2/gradient-added", "2/squares-before-the-sum", "2/duplicates-one-by-one",
                "2/last-duplicate-wins", "2/eps-inside-the-root", "2/no-root", "2/not-squared", "2/forgets-its-sum",
                "2/one-sum-for-a-row"),
    "ftrl": ("2/divided-first", "2/gradient-added", "2/squares-before-the-sum", "2/duplicates-one-by-one",
             "2/last-duplicate-wins", "2/sigma-forgotten", "2/sigma-without-alpha", "2/beta-forgotten",
             "2/l2-forgotten", "2/l1-forgotten", "2/l1-only-a-gate", "2/threshold-on-the-weight",
             "2/small-weights-kept"),
}
