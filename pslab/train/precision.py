"""bf16 autocast: matrix products in bfloat16, parameters, gradients and rows in float32.

    forward    x ──cast──> bf16 · weight (a bf16 copy) ──> bf16 ... logits ──cast──> float32 ── loss
    backward   through the same casts: what arrives in .grad is float32, what travels and what rules step by, too

Autocast belongs to a thread, and ranks of a simulated world share one: a rank that waits for its rows must not leave
the mode on for whoever goes on meanwhile. So it is off inside of the modules that wait, which compute in float32
anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

PRECISIONS = ("float32", "bf16")


class Forward:
    """Calls the model under `precision`; `waiting`: its modules that may wait for other ranks."""

    def __init__(self, model: nn.Module, precision: str, waiting: Sequence[nn.Module] = ()):
        self.model, self.bf16, self._mode = model, precision == "bf16", None
        if self.bf16:
            for module in waiting:
                module.register_forward_pre_hook(lambda *_: self._pause())
                module.register_forward_hook(lambda *_: self._resume())
        self._inside = False

    def __call__(self, *inputs) -> torch.Tensor:
        """float32 results."""
        if not self.bf16:
            return self.model(*inputs)
        self._inside = True
        self._resume()
        try:
            return self.model(*inputs).float()
        finally:
            self._pause()
            self._inside = False

    def _pause(self) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.__exit__(None, None, None)

    def _resume(self) -> None:
        if self._inside:
            self._mode = torch.autocast("cpu", dtype=torch.bfloat16)
            self._mode.__enter__()
