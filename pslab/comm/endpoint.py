"""What a world gives each rank: the few things that a `Comm` is made of.

    Comm (face)        ranks of a group, tags, arguments checked
      └─> Endpoint     world ranks, arrays, contexts            SimEndpoint, ProcessEndpoint, TorchEndpoint

An endpoint sends, receives and keeps time for one rank of one world; everything else is built on it, alike everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from . import arrays
from .calls import CallLog


@dataclass
class Mail:
    """A letter: sender's rank, kind, meta (msgpack scalars, lists, dicts) and tensors, owned by the receiver."""

    src: int
    kind: str
    meta: dict = field(default_factory=dict)
    tensors: list[torch.Tensor] = field(default_factory=list)

    def views(self) -> list[np.ndarray]:
        """The tensors as arrays that are only read, and not after `release`: they may lie in the sender's memory.

        Who wants to keep or change them takes `tensors`, which then are copies. bfloat16 comes as its 16 bits.
        """
        return [arrays.view(tensor)[0] for tensor in self.tensors]

    def release(self) -> None:
        """The views are no longer needed."""


class Work(ABC):
    """A send or receive under way."""

    __slots__ = ()

    @abstractmethod
    def wait(self, timeout_s: float | None = None):
        """Block until done; a receive gives its tensor. TimeoutError after timeout_s."""

    @abstractmethod
    def is_completed(self) -> bool:
        """Whether `wait` would return at once."""


class Endpoint(ABC):
    """What a world gives each rank; ranks here are world ranks, arrays come from `arrays.view`.

    `ctx` separates groups: only messages of equal ctx meet. `control` messages (barrier, split) cost time but are in no
    ledger. `sync`: the work is done when the receiver has the message, not when the buffer is free.
    """

    __slots__ = ()

    rank: int
    world_size: int
    seed: int
    logs: dict[int, CallLog]            # by ctx
    shares_memory = False

    @abstractmethod
    def isend(self, array: np.ndarray, name: str, dst: int, ctx: int, tag: int, sync: bool, control: bool) -> Work: ...
    @abstractmethod
    def irecv(self, src: int, ctx: int, tag: int, out, op: str | None, control: bool) -> Work: ...
    @abstractmethod
    def post(self, dst: int, ctx: int, kind: str, meta: dict, tensors: Sequence, retry: bool = False,
             give: bool = False) -> None: ...
    @abstractmethod
    def poll(self, ctx: int, timeout_s: float | None) -> Mail | None: ...
    @abstractmethod
    def now(self) -> float: ...
    @abstractmethod
    def sleep(self, seconds: float) -> None: ...
    @abstractmethod
    def compute(self, seconds: float) -> None: ...
    @abstractmethod
    def report(self, value) -> None: ...
    @abstractmethod
    def strand(self, comm): ...

    def empty(self, shape, name: str) -> torch.Tensor:
        return arrays.tensor_of(arrays.empty(shape, name), name)

    def stages(self, array: np.ndarray) -> bool:
        return False

    def irecv_plus(self, src: int, ctx: int, tag: int, out, op: str, plus: np.ndarray) -> Work:
        arrays.out_view(out)[0][...] = plus
        return self.irecv(src, ctx, tag, out, op, False)

    def relay(self, src: int, dst: int, ctx: int, tag: int, out) -> tuple[torch.Tensor, Work]:
        tensor = self.irecv(src, ctx, tag, out, None, False).wait()
        array, name = arrays.view(tensor)
        return tensor, self.isend(array, name, dst, ctx, tag, False, False)
