"""A send and a receive under way.

    sender      isend ── header ──> ...                  ACK came: dist.isend started, SENT told     wait: bytes left
    receiver    irecv ............ header matched: dist.irecv started, ACK told ... SENT came: bytes here, landed

Neither side starts its half of the transfer before the other has promised its own.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import torch

from .. import arrays, wire
from ..face import Mail, Work
from ..tags import label

_REDUCE = {"sum": torch.add, "max": torch.maximum, "min": torch.minimum, "prod": torch.mul}


class SendWork(Work):
    """Done when the receiver has taken the message and the bytes have left."""

    __slots__ = ("body", "control", "device", "dst", "endpoint", "error", "handle", "owed", "tag")

    def __init__(self, endpoint, dst: int, tag: int, control: bool, body: torch.Tensor | None, owed: bool,
                 device: bool):
        self.endpoint, self.dst, self.tag, self.control, self.body, self.owed = endpoint, dst, tag, control, body, owed
        self.device, self.error, self.handle = device, None, None

    @property
    def done(self) -> bool:
        return not self.owed

    def accepted(self) -> None:
        """The receiver is ready."""
        if self.body is not None:
            self.handle = self.endpoint.roads.send(self.body, self.dst, self.device)
        self.owed = False                   # last: another thread may look

    def refused(self, error: Exception) -> None:
        self.error, self.body, self.owed = error, None, False

    def finish(self) -> None:
        """Wait for the bytes to leave: as long as the transfer takes, since the receiver is ready."""
        if self.handle is not None:
            self.endpoint.transferred(self.handle, self, self.body.numel(), self.device)
            self.handle = self.body = None

    def is_completed(self) -> bool:
        if self.owed:
            self.endpoint.progress(0)
        return not self.owed

    def wait(self, timeout_s: float | None = None) -> None:
        if self.owed:
            self.endpoint.wait_until(self, timeout_s)
        self.finish()
        if self.error is not None:
            raise self.error

    def call(self) -> str:
        return f"{label(self.tag)}()" if self.control else f"send(dst={self.dst}, tag={label(self.tag)})"

    @property
    def peer(self) -> int:
        return self.dst


class RecvWork(Work):
    """Done when the tensor is in place."""

    __slots__ = ("control", "ctx", "done", "endpoint", "error", "handle", "op", "out", "posted", "src", "tag", "target")

    def __init__(self, endpoint, src: int, ctx: int, tag: int, out, op: str | None, control: bool):
        self.endpoint, self.src, self.ctx, self.tag, self.out, self.op = endpoint, src, ctx, tag, out, op
        self.control, self.done, self.posted, self.error, self.handle = control, False, True, None, None
        self.target = None if out is None else Target.into(out)

    def is_completed(self) -> bool:
        if not self.done:
            self.endpoint.progress(0)
        return self.done

    def wait(self, timeout_s: float | None = None):
        if not self.done:
            self.endpoint.post_again(self)
            try:
                self.endpoint.wait_until(self, timeout_s)
            except TimeoutError:
                self.endpoint.withdraw(self)
                raise
        if self.error is not None:
            raise self.error
        return self.out

    def aim(self, shape: tuple, name: str, device: bool, inline: bool) -> Target:
        """Where a message of this kind goes; ValueError, in words for both sides, when it does not fit."""
        sent, rank = f"rank {self.src} sent {name}{list(shape)}", self.endpoint.rank
        if self.target is None:
            if device:
                raise ValueError(f"{sent} from an accelerator, but rank {rank} gives no out=; a tensor on its own "
                                 "accelerator is needed")
            self.target = Target.fresh(tuple(shape), name)
        target = self.target
        if target.shape != tuple(shape) or target.name != name:
            raise ValueError(f"{sent}, but rank {rank} receives into {target.name}{list(target.shape)}; "
                             "dtype and shape must be equal on both sides")
        if target.device != device and not inline:
            kinds = ("the CPU", "an accelerator")
            raise ValueError(f"{sent} from {kinds[device]}, but rank {rank} receives on {kinds[target.device]}; "
                             "both must be of one kind")
        return target

    def call(self) -> str:
        return f"{label(self.tag)}()" if self.control else f"recv(src={self.src}, tag={label(self.tag)})"

    @property
    def peer(self) -> int:
        return self.src


class Target:
    """Where a payload goes: `body` takes the raw bytes; `land` reduces them into place where an op asks for it."""

    __slots__ = ("array", "body", "device", "name", "scratch", "shape", "tensor")

    @classmethod
    def into(cls, out) -> Target:
        """An `out` of the caller's; ValueError when it cannot be written in place."""
        self = cls()
        self.device = on_accelerator(out)
        if self.device:
            if not out.is_contiguous():
                raise ValueError("out is not contiguous; pass out.contiguous() and copy back yourself")
            self.tensor, self.array, self.name, self.shape = out, None, arrays.dtype_name(out.dtype), tuple(out.shape)
        else:
            self.array, self.name = arrays.out_view(out)
            self.tensor, self.shape = None, self.array.shape
        return self

    @classmethod
    def fresh(cls, shape: tuple, name: str) -> Target:
        self = cls()
        self.array, self.name, self.shape = arrays.empty(shape, name), name, shape
        self.tensor, self.device = None, False
        return self

    def aim(self, op: str | None) -> torch.Tensor:
        """The flat uint8 tensor to receive into."""
        if self.device:
            self.scratch = self.tensor if op is None else torch.empty_like(self.tensor)
            return self.scratch.detach().reshape(-1).view(torch.uint8)
        self.scratch = self.array if op is None else np.empty_like(self.array)
        return torch.from_numpy(self.scratch.reshape(-1).view(np.uint8))

    def land(self, op: str | None) -> None:
        """What `aim` gave is filled."""
        if op is None:
            return
        if self.device:
            _REDUCE[op](self.tensor, self.scratch, out=self.tensor)
        else:
            arrays.land(self.array, self.scratch, op, self.name)

    def take(self, payload: np.ndarray, op: str | None) -> None:
        """Bytes that came along with the header."""
        piece = payload.view(arrays.numpy_dtype(self.name)).reshape(self.shape)
        arrays.land(self.array, piece, op, self.name)


def on_accelerator(tensor) -> bool:
    return isinstance(tensor, torch.Tensor) and tensor.device.type != "cpu"


class LetterWait:
    """Waiting for mail of one group."""

    peer = None

    def __init__(self, box: deque, timeout_s: float | None):
        self.box, self.timeout_s = box, timeout_s

    @property
    def done(self) -> bool:
        return bool(self.box)

    def call(self) -> str:
        return "poll()" if self.timeout_s is None else f"poll(timeout_s={self.timeout_s:g})"


def letter(src: int, descriptor: bytes, payload: np.ndarray) -> Mail:
    """A mail from its frame; its tensors share the frame's memory, which is theirs now."""
    kind, meta, shapes = wire.read_mail(descriptor, payload.size)
    tensors, at = [], 0
    for shape, name in shapes:
        dtype = arrays.numpy_dtype(name)
        size = math.prod(shape) * dtype.itemsize
        piece = payload[at:at + size]
        if at % dtype.itemsize:
            piece = piece.copy()                     # an element must begin at a multiple of its size
        tensors.append(arrays.tensor_of(piece.view(dtype).reshape(shape), name))
        at += size
    return Mail(src, kind, meta, tensors)
