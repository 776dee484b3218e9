"""Only the k numbers of largest magnitude travel, each with its place; the rest waits in the residual.

    gradient     3   −7    0    7    2          k = 2
    message      indices 1 3 (int32)   values −7 7 (float32)          8k bytes
    sent         0   −7    0    7    0

Of equal magnitudes the lower index goes first: so the choice is the same on every machine. Aji and Heafield (2017),
"Sparse communication for distributed gradient descent"; Lin et al. (2018), "Deep gradient compression".
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.cost import top_k_all_gather, top_k_message_bytes

from .compressor import Compressor, checked, finite, gather_and_add


class TopK(Compressor):
    """k numbers of every tensor, or a `ratio` of them (rounded up, at least one); all of a tensor that has fewer.

    8k bytes a message; every worker chooses other places, so messages go to everyone: an all-gather.
    """

    def __init__(self, k: int | None = None, *, ratio: float | None = None):
        if (k is None) == (ratio is None):
            raise ValueError(f"k={k!r}, ratio={ratio!r}; exactly one of them is needed")
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise ValueError(f"k={k!r}; a number from 1 is needed")
        if ratio is not None and not 0 < ratio <= 1:
            raise ValueError(f"ratio={ratio!r}; above 0 and at most 1 is needed")
        self.k, self.ratio = k, ratio

    def chosen(self, elements: int) -> int:
        """How many of so many elements travel."""
        return min(elements, self.k if self.ratio is None else math.ceil(self.ratio * elements))

    def exchange(self, comm, name, gradient):
        gradient = finite(checked(gradient, name), name)
        values = gradient.reshape(-1).numpy()
        if len(values) > 2**31:
            raise ValueError(f"gradient of {name!r} has {len(values)} elements; an int32 index reaches 2**31")
        k = self.chosen(len(values))
        places = largest(values, k)
        message = np.concatenate([places.astype(np.int32).view(np.uint8),
                                  values[places].astype(np.float32).view(np.uint8)])
        return gather_and_add(comm, torch.from_numpy(message),
                              lambda each: _decode(each, k, len(values), gradient.dtype), gradient)

    def traffic(self, shape, K):
        return top_k_all_gather(self.chosen(math.prod(shape)), K)

    def _wire_bytes(self, shape):
        return top_k_message_bytes(self.chosen(math.prod(shape)))


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest magnitudes, ascending; of equal ones the lower places. O(n): nothing is sorted."""
    if k >= len(values):
        return np.arange(len(values))
    magnitude = np.abs(values)
    least = np.partition(magnitude, len(values) - k)[len(values) - k]     # the smallest magnitude that still travels
    above = np.flatnonzero(magnitude > least)
    ties = np.flatnonzero(magnitude == least)[:k - len(above)]
    return np.sort(np.concatenate([above, ties]))


def _decode(message: torch.Tensor, k: int, n: int, dtype: torch.dtype) -> torch.Tensor:
    raw = message.numpy()
    row = np.zeros(n, np.float32)
    row[raw[:4 * k].copy().view(np.int32)] = raw[4 * k:].copy().view(np.float32)
    return torch.from_numpy(row).to(dtype)
