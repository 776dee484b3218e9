"""Error feedback: what a message lost is added to the next gradient of the same parameter, on the same worker.

    step t      corrected = gradient + residual
                total, sent = compressor.exchange(corrected)
                residual = corrected − sent               so that, over all steps,  Σ sent + residual = Σ gradients

Nothing is lost, only late: that is why SGD then converges where the bare compressor stalls or runs away. Seide et al.
(2014); Karimireddy, Rebjock, Stich, Jaggi (2019), "Error feedback fixes SignSGD and other gradient compression
schemes".
"""

from __future__ import annotations

import torch

from .compressor import Compressor, checked, finite


class ErrorFeedback(Compressor):
    """Around any compressor; the bytes are those of the compressor. Residuals are kept by (worker, parameter name)."""

    def __init__(self, compressor: Compressor):
        if not isinstance(compressor, Compressor):
            raise ValueError(f"compressor={compressor!r}; a Compressor is needed, such as TopK(k=10)")
        self.compressor = compressor
        self._residuals: dict[tuple[int, str], torch.Tensor] = {}

    def exchange(self, comm, name, gradient):
        gradient = finite(checked(gradient, name), name)
        key = comm.members[comm.rank], name
        residual = self._residuals.get(key)
        if residual is not None and residual.shape != gradient.shape:
            raise ValueError(f"{name!r} had shape {tuple(residual.shape)} and has now {tuple(gradient.shape)}; each "
                             f"parameter needs its own name")
        corrected = gradient if residual is None else gradient + residual
        total, sent = self.compressor.exchange(comm, name, corrected)
        self._residuals[key] = corrected - sent
        return total, sent

    def residual(self, comm, name: str) -> torch.Tensor | None:
        """What this worker still owes to the parameter; None before its first exchange."""
        return self._residuals.get((comm.members[comm.rank], name))

    def traffic(self, shape, K):
        return self.compressor.traffic(shape, K)

    def _wire_bytes(self, shape):
        return self.compressor.wire_bytes(shape)
