"""What every compressor is: one gradient in, the sum over all workers of what they sent out.

    gradient ──> [ compress ] ──message──> all workers ──> [ combine ] ──> total    the same bits on every worker
                      └──> sent: what this worker's message stands for; gradient − sent is lost, or kept as a residual
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch

from pslab.comm import Comm
from pslab.cost import Traffic, ring_all_reduce

from ..all_gather import all_gather
from ..all_reduce import all_reduce


class Compressor(ABC):
    """A way to sum gradients over the workers with fewer bytes. All workers use equal ones, with the same names."""

    @abstractmethod
    def exchange(self, comm: Comm, name: str, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(total, sent): Σ over workers of what they sent, and what this one sent, both of the gradient's shape.

        gradient   float32 or float64, read only; the same shape on every worker. `name` is the parameter's: what a
                   compressor remembers from step to step, it remembers by worker and name
        total      a sum, not a mean; equal bits on every worker. In the gradient's dtype, as `sent`
        """

    @abstractmethod
    def traffic(self, shape, K: int) -> Traffic:
        """Bytes per port of one `exchange` of a float32 gradient of this shape over K workers, exactly."""

    def wire_bytes(self, shape) -> int:
        """Bytes of one worker's own message or messages for a float32 gradient of this shape."""
        return self._wire_bytes(tuple(shape))

    @abstractmethod
    def _wire_bytes(self, shape: tuple[int, ...]) -> int: ...


class Uncompressed(Compressor):
    """The ring on the gradient as it is: nothing is lost."""

    def exchange(self, comm, name, gradient):
        total = checked(gradient, name).clone(memory_format=torch.contiguous_format)
        all_reduce(comm, total, algorithm="ring")
        return total, gradient

    def traffic(self, shape, K):
        return ring_all_reduce(math.prod(shape), K)

    def _wire_bytes(self, shape):
        return 4 * math.prod(shape)


def checked(gradient, name: str) -> torch.Tensor:
    """The gradient, or ValueError where it is no dense float32 or float64 tensor."""
    if not isinstance(gradient, torch.Tensor) or gradient.layout is not torch.strided:
        raise ValueError(f"gradient of {name!r} is a {type(gradient).__name__}; a dense torch.Tensor is needed")
    if gradient.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"gradient of {name!r} is {gradient.dtype}; float32 or float64 is needed")
    return gradient.detach()


def finite(gradient: torch.Tensor, name: str) -> torch.Tensor:
    """The gradient, or ValueError: infinity in a message or a residual would never leave it again."""
    if not torch.isfinite(gradient).all():
        raise ValueError(f"gradient of {name!r} holds NaN or infinity; unscale it, and leave such a step out, before "
                         f"it is compressed")
    return gradient


def gather_and_add(comm: Comm, message: torch.Tensor, decode, like: torch.Tensor):
    """(Σ decode(message) over workers, decode(own message)): added in rank order, so with equal bits everywhere."""
    total = torch.zeros(like.numel(), dtype=like.dtype)
    sent = total
    for rank, each in enumerate(all_gather(comm, message)):
        row = decode(each)
        total = total + row
        if rank == comm.rank:
            sent = row
    return total.view(like.shape), sent.view(like.shape)
