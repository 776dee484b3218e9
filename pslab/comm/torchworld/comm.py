"""The face of a TorchWorld's ranks: that of every world, and tensors on an accelerator besides."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import face
from ..face import Comm, Work
from . import works


class TorchComm(Comm):
    """As Comm. `device` is this process's GPU with backend "nccl", else the CPU.

    A tensor on an accelerator is sent as it is, and received with `out=` on the receiver's own accelerator.
    """

    def __init__(self, endpoint, members: Sequence[int] | None = None, ctx: int = 0, device=None):
        super().__init__(endpoint, members, ctx)
        self.device = torch.device("cpu") if device is None else device

    def send(self, tensor, dst: int, tag: int = 0) -> None:
        if works.on_accelerator(tensor):
            self._endpoint.isend_device(tensor, self._peer(dst, "dst"), self._ctx, face._tag(tag), True).wait()
        else:
            super().send(tensor, dst, tag)

    def isend(self, tensor, dst: int, tag: int = 0) -> Work:
        if works.on_accelerator(tensor):
            return self._endpoint.isend_device(tensor, self._peer(dst, "dst"), self._ctx, face._tag(tag), False)
        return super().isend(tensor, dst, tag)

    def split(self, color: int | None, key: int = 0) -> TorchComm | None:
        part = super().split(color, key)
        if part is not None:
            part.device = self.device
        return part
