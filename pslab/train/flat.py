"""Parameters and their gradients as two vectors: what a ring or a server's dense table carries.

    weight 3×2  bias 3  weight 1×3  bias 1          the parameters stay what they were, but live
    └────┬────┘ └─┬─┘ └────┬─────┘ └─┬─┘            inside one vector of P = 13 numbers
    [ . . . . . . . . . . . . . . . . . ]  values   (P,)
    [ . . . . . . . . . . . . . . . . . ]  grads    (P,) backward writes here, nothing is copied together
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch


class Flat:
    """Moves `parameters` into one vector. empty(P) allocates (a world's `comm.empty` sends without staging)."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], empty: Callable = torch.empty):
        parameters = list(parameters)
        size = sum(parameter.numel() for parameter in parameters)
        self.values, self.grads = empty(size), empty(size)
        self.zero_grads()
        first = 0
        for parameter in parameters:
            place = slice(first, first + parameter.numel())
            self.values[place] = parameter.detach().reshape(-1)
            parameter.data = self.values[place].view_as(parameter)
            parameter.grad = self.grads[place].view_as(parameter)
            first = place.stop

    def zero_grads(self) -> None:
        self.grads.zero_()

    def __len__(self) -> int:
        return len(self.values)


def flat_values(parameters: Sequence[torch.nn.Parameter]) -> torch.Tensor:
    """A copy of the parameters as one vector (P,), in the order that `Flat` keeps."""
    return torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
