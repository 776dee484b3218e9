"""One bit a number: its sign, and for each sign the mean of the numbers that have it.

    gradient     0.5  −0.1   0.3  −0.5         message    0.4 │ −0.3 │ 1 0 1 0 ....      8 + ⌈n/8⌉ bytes
    sent         0.4  −0.3   0.4  −0.3                  means of ≥ 0 and < 0, bits

The mean is what makes the squared error smallest for numbers of that sign. Seide, Fu, Droppo, Li, Yu (2014), "1-bit
stochastic gradient descent and its application to data-parallel distributed training of speech DNNs"; there a pair of
means for each column of a matrix, here one pair for the tensor. Without error feedback it does not converge in general.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.cost import one_bit_all_gather
from pslab.cost import one_bit_message_bytes as message_bytes

from .compressor import Compressor, checked, finite, gather_and_add


class OneBit(Compressor):
    """8 + ⌈n/8⌉ bytes a message; signs cannot be added, so messages go to everyone: an all-gather."""

    def exchange(self, comm, name, gradient):
        gradient = finite(checked(gradient, name), name)
        n = gradient.numel()
        return gather_and_add(comm, _encode(gradient), lambda message: _decode(message, n, gradient.dtype), gradient)

    def traffic(self, shape, K):
        return one_bit_all_gather(math.prod(shape), K)

    def _wire_bytes(self, shape):
        return message_bytes(math.prod(shape))


def _encode(gradient: torch.Tensor) -> torch.Tensor:
    values = gradient.reshape(-1).numpy()
    if not len(values):
        return torch.empty(0, dtype=torch.uint8)
    positive = values >= 0
    means = np.array([values[half].mean(dtype=np.float64) if half.any() else 0.0 for half in (positive, ~positive)],
                     np.float32)
    return torch.from_numpy(np.concatenate([means.view(np.uint8), np.packbits(positive)]))


def _decode(message: torch.Tensor, n: int, dtype: torch.dtype) -> torch.Tensor:
    if not n:
        return torch.zeros(0, dtype=dtype)
    raw = message.numpy()
    means = raw[:8].copy().view(np.float32)
    positive = np.unpackbits(raw[8:], count=n).view(bool)
    return torch.from_numpy(np.where(positive, means[0], means[1])).to(dtype)
