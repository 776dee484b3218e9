"""Rounding to levels: to the nearest, or up and down by chance so that the mean stays right.

    level   3 ──────────── 3.2 ──────────────────────────── 4          nearest: 3, always
            └─ 4 times in 5                                 └─ stochastic: once in 5;   mean 3.2

An update that is smaller than half a level is lost by the nearest level, every time it is tried; by chance it is kept
as often as its size says. So tables whose rows are *trained* while they are packed need Stochastic.
"""

from __future__ import annotations

import numpy as np


class Stochastic:
    """Up with the probability of the fraction, else down: E[round(x)] = x, whatever x.

    seed: whole number from 0, or a sequence of them; two objects of one seed draw the same numbers in the same order.
    """

    def __init__(self, seed=0):
        self._random = np.random.Generator(np.random.PCG64(check_seed(seed)))

    def round(self, levels: np.ndarray) -> np.ndarray:
        """(n, D) -> (n, D) of whole numbers, float64."""
        down = np.floor(levels, dtype=np.float64)
        return down + (self._random.random(down.shape) < levels - down)


def check_seed(seed):
    """The seed, or ValueError."""
    for part in seed if isinstance(seed, (list, tuple)) else (seed,):
        if isinstance(part, bool) or not isinstance(part, (int, np.integer)) or part < 0:
            raise ValueError(f"seed={seed!r}; a whole number from 0 is needed")
    return seed


def as_rows(rows, what: str):
    """(array (n, D) float32 of finite values, function that gives back the kind that came in), or ValueError."""
    array, give_back = as_array(rows)
    if array.ndim != 2 or array.shape[1] < 1 or array.dtype.kind != "f":
        raise ValueError(f"rows have shape {list(array.shape)} and type {array.dtype}; {what} rows are made of rows of "
                         f"floating point numbers (n, D), D at least 1")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(f"row {row} holds {array[row, column]} in column {column}; {what} rows have levels for finite "
                         f"numbers of float32 only")
    return array, give_back


def as_array(given):
    """(the array of an array or tensor, function that turns an array into what was given, on the same device)."""
    import torch

    if not isinstance(given, torch.Tensor):
        return np.asarray(given), lambda array: array
    return given.detach().cpu().numpy(), lambda array: torch.from_numpy(array).to(given.device)


def refuse_rows(bad: np.ndarray, rows: np.ndarray, why: str) -> None:
    """ValueError that names the first of the rows marked in bad (n,)."""
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"row {row} {why}: its values lie between {rows[row].min():g} and {rows[row].max():g}")
