"""fp16 or bf16 on the wire: two bytes a number, summed by the ring as they are.

                 sign  exponent  fraction     smallest above 0      largest
    float32        1       8        23            1.4e-45           3.4e38
    bf16           1       8         7            9.2e-41           3.4e38       coarse, but of float32's range
    fp16           1       5        10            6.0e-8            65504        finer; small gradients become 0

That is why fp16 needs loss scaling: gradients below 3e-8 vanish, and sums above 65504 become infinite. Autocast does
not help: it computes in half precision, and still leaves the gradients of float32 parameters in float32.
"""

from __future__ import annotations

import math

import torch

from pslab.cost import half_all_reduce

from ..all_reduce import all_reduce
from .compressor import Compressor, checked

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Half(Compressor):
    """dtype: "bf16" or "fp16". Each hop of the ring rounds the partial sum to the wire's precision.

    2n bytes a message; combined by an all-reduce.
    """

    def __init__(self, dtype: str = "bf16"):
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r}; allowed: {', '.join(DTYPES)}")
        self.dtype = DTYPES[dtype]

    def exchange(self, comm, name, gradient):
        gradient = checked(gradient, name)
        wire = gradient.to(self.dtype, copy=True).contiguous()
        sent = wire.to(gradient.dtype)
        all_reduce(comm, wire, algorithm="ring")
        return wire.to(gradient.dtype), sent

    def traffic(self, shape, K):
        return half_all_reduce(math.prod(shape), K)

    def _wire_bytes(self, shape):
        return 2 * math.prod(shape)
