"""Delayed all-reduce: a step uses the sums of the step before, while its own travel.

    exact      compute 0 ═ reduce 0 ─ use 0 │ compute 1 ═ reduce 1 ─ use 1 │ …            T·(c + m)

    delayed    compute 0 ═ compute 1 ═════ use 0 │ compute 2 ════ use 1 │ … use T−1       c + (T−1)·max(c, m) + m
                         └─ reduce 0 ─────┘└─ reduce 1 ─────────┘

With c seconds of computing and m of communication a step, T steps. The price is staleness 1: what is used at step t was
computed one step earlier, from older parameters. The first step has nothing to use, and after the last one, one is
left to drain: every gradient is used, exactly once.

Gradient descent on a curvature λ shows what that costs. Exact, w ← w − ηλ·w converges for 0 < ηλ < 2; with the gradient
of the step before, w₊ = w − ηλ·w₋ only for 0 < ηλ < 1, and without swinging up to 1/4 instead of 1: the roots of
z² − z + ηλ have the modulus √(ηλ). Late by s steps it is ηλ < 2·cos(sπ/(2s + 1)): `stable_rate`. Levin and May (1976),
"A note on difference-delay equations".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from pslab.comm import Comm, Work

from .background import start
from .fusion import all_reduce_fused


class DelayedAllReduce:
    """Sums over the ranks of `comm`, one call late. All ranks make the same calls, with tensors of the same shapes."""

    def __init__(self, comm: Comm, *, all_reduce: Callable | None = None):
        """all_reduce: as of `all_reduce_fused`, of one's own; None is our ring."""
        self.comm, self.all_reduce = comm, all_reduce
        self._travelling: tuple[Work, list[torch.Tensor]] | None = None

    def exchange(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """Start summing these over the ranks, and return the sums of the call before; None at the first call.

        The tensors are copied: they may change at once. What is returned is the caller's own.
        """
        before = self.drain()
        copies = [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in tensors]
        work = start(self.comm, all_reduce_fused, copies, writes=True, all_reduce=self.all_reduce)
        self._travelling = work, copies
        return before

    def drain(self) -> list[torch.Tensor] | None:
        """Wait for the sums that still travel, and return them; None where none do."""
        if self._travelling is None:
            return None
        (work, sums), self._travelling = self._travelling, None
        work.wait()
        return sums


def stable_rate(curvature: float, staleness: int) -> float:
    """The learning rate below which gradient descent with gradients `staleness` steps late converges on λ/2·w².

    2/λ for exact gradients, 1/λ for staleness 1: 2·cos(sπ/(2s + 1)) / λ.
    """
    if not curvature > 0:
        raise ValueError(f"curvature={curvature!r}; more than 0 is needed")
    if isinstance(staleness, bool) or not isinstance(staleness, int) or staleness < 0:
        raise ValueError(f"staleness={staleness!r}; a whole number, 0 or more, is needed")
    return 2 * math.cos(staleness * math.pi / (2 * staleness + 1)) / curvature
