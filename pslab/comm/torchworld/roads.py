"""The roads of tensors: torch.distributed. Everything here goes from one named rank to another, in order.

    CPU tensors      one Gloo group
    CUDA tensors     (backend "nccl") two NCCL groups: one from lower to higher ranks, one back, because a
                     communicator runs its transfers one after the other, and two ranks may send to each other at once

A transfer is started on both sides only when the receiver has said that it is ready (see `endpoint`), so it ends by
itself: nobody has to be cancelled, and waiting for it takes as long as the bytes take.
"""

from __future__ import annotations

from datetime import timedelta

import torch
import torch.distributed as dist

BACKENDS = ("gloo", "nccl")


class Roads:
    """The process groups of one world; made by all ranks together."""

    def __init__(self, backend: str, rank: int, timeout_s: float):
        self.rank, timeout = rank, timedelta(seconds=timeout_s)
        self.cpu = dist.new_group(backend="gloo", timeout=timeout)
        self.up = self.down = None
        if backend == "nccl":
            self.up, self.down = (dist.new_group(backend="nccl", timeout=timeout) for _ in range(2))

    def send(self, body: torch.Tensor, dst: int, device: bool):
        """Start; `.wait()` of what is returned ends when the tensor may be changed. device: it is on an accelerator."""
        return dist.isend(body, dst, group=self._road(device, self.rank, dst))

    def receive(self, body: torch.Tensor, src: int, device: bool):
        """Start; `.wait()` of what is returned ends when the tensor has the sender's values."""
        return dist.irecv(body, src, group=self._road(device, src, self.rank))

    def close(self) -> None:
        for group in (self.cpu, self.up, self.down):
            if group is not None:
                dist.destroy_process_group(group)

    def _road(self, device: bool, src: int, dst: int):
        if not device:
            return self.cpu
        return self.up if src < dst else self.down
