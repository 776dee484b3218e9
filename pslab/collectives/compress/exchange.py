"""All gradients of a model through one compressor; the initial values before that, whole.

    exchange = GradientExchange(comm, model.named_parameters(), ErrorFeedback(TopK(ratio=0.01)))
    loop:   loss.backward();   exchange.average();   optimizer.step()

A compressed initial value would be a wrong one for good: error feedback mends a sum over steps, and there is only one
first step. So rank 0's values are broadcast bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from pslab.comm import Comm

from ..broadcast import broadcast
from .compressor import Compressor, Uncompressed


class GradientExchange:
    """Makes all workers begin with rank 0's values, and averages gradients with `average()`.

    named_parameters   (name, parameter) pairs, the same on every worker, each parameter once (tied ones too, as
                       `model.named_parameters()` has them). Frozen ones get rank 0's values and no average
    """

    def __init__(self, comm: Comm, named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
                 compressor: Compressor | None = None):
        pairs = list(named_parameters)
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError(f"named_parameters names a parameter twice: {[name for name, _ in pairs]}; residuals are "
                             f"kept by name")
        self.comm, self.compressor = comm, Uncompressed() if compressor is None else compressor
        self.trained = [(name, parameter) for name, parameter in pairs if parameter.requires_grad]
        for _, parameter in pairs:
            broadcast(comm, parameter.data)

    def average(self) -> None:
        """Replace every gradient by the mean over the workers; one that a worker has not made counts as zero."""
        for name, parameter in self.trained:
            mine = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            total, _ = self.compressor.exchange(self.comm, name, mine)
            parameter.grad = total.div_(self.comm.world_size)
