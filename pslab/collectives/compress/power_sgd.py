"""PowerSGD: a matrix travels as two thin factors, found by one step of power iteration on the sum over workers.

    M (n × m), of each worker          Q (m × r), from the step before, the same on all workers
      P = Σ M Q        all-reduce      n·r numbers
      P̂ = columns of P, orthonormal
      Q = Σ Mᵀ P̂       all-reduce      m·r numbers
    total = P̂ Qᵀ = P̂P̂ᵀ Σ M: the part of the sum that lies in the space that P spans

Everything is linear, so sums of factors are factors of the sum, and an all-reduce does. A worker has sent P̂P̂ᵀ M of its
own M. Vectors, and matrices whose factors would be no smaller, travel whole. Starting from the last step's Q ("warm
start") makes rank 1 or 2 good enough: gradients change slowly. Vogels, Karimireddy, Jaggi (2019), "PowerSGD: practical
low-rank gradient compression for distributed optimization".
"""

from __future__ import annotations

import hashlib
import math

import torch

from pslab.cost import power_sgd_all_reduce, ring_all_reduce

from ..all_reduce import all_reduce
from .compressor import Compressor, Uncompressed, checked, finite


class PowerSGD(Compressor):
    """rank r: 4r(n + m) bytes for an n × m matrix, combined by two all-reduces.

    A tensor of more dimensions is a matrix of its first against all others.
    seed: of the first Q, drawn from seed and name alone, so equal on all workers.
    """

    def __init__(self, rank: int = 2, *, seed: int = 0):
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ValueError(f"rank={rank!r}; a number from 1 is needed")
        self.rank, self.seed = rank, seed
        self._last: dict[tuple[int, str], torch.Tensor] = {}

    def exchange(self, comm, name, gradient):
        gradient = finite(checked(gradient, name), name)
        sides = self._sides(gradient.shape)
        if sides is None:
            return Uncompressed().exchange(comm, name, gradient)
        key = comm.members[comm.rank], name
        matrix = gradient.reshape(sides).float()
        q = self._last.get(key)
        if q is None:
            q = self._first(name, sides[1])
        elif len(q) != sides[1]:
            raise ValueError(f"{name!r} had {len(q)} columns and has now {sides[1]}; each parameter needs its own name")
        p = matrix @ q
        all_reduce(comm, p, algorithm="ring")
        p = torch.linalg.qr(p).Q                         # also of full rank where P is not
        mine = (matrix.T @ p).contiguous()
        q = mine.clone()
        all_reduce(comm, q, algorithm="ring")
        # From Q = 0 no later step would find a way out: the next one begins anew.
        self._last[key] = q if q.any() else self._first(name, sides[1])
        return ((p @ q.T).to(gradient.dtype).view(gradient.shape),
                (p @ mine.T).to(gradient.dtype).view(gradient.shape))

    def traffic(self, shape, K):
        sides = self._sides(shape)
        return ring_all_reduce(math.prod(shape), K) if sides is None else power_sgd_all_reduce(*sides, self.rank, K)

    def _wire_bytes(self, shape):
        sides = self._sides(shape)
        return 4 * (math.prod(shape) if sides is None else self.rank * sum(sides))

    def _sides(self, shape) -> tuple[int, int] | None:
        """(n, m), or None where the tensor travels whole."""
        if len(shape) < 2 or not math.prod(shape):
            return None
        sides = shape[0], math.prod(shape[1:])
        return sides if self.rank * sum(sides) < math.prod(sides) else None

    def _first(self, name: str, columns: int) -> torch.Tensor:
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=7).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
        return torch.randn(columns, self.rank, generator=generator)
