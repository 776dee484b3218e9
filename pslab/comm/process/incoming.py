"""A message on its way in: where its bytes go, before and after somebody asked for it.

    header came, receive posted   ──> bytes go straight into `out` (copied or reduced)
    header came, nobody asked yet ──> bytes go into a buffer of the message's own; handed over when asked for
    payload in the sender's heap  ──> nothing is copied until somebody asks; then read from there, and credited
"""

from __future__ import annotations

import math
import time
from collections import deque

import numpy as np

from .. import arrays, wire
from ..face import Mail, Work
from ..tags import label

INLINE_LIMIT = 32 * 1024      # payloads up to here follow their header through the socket
_SCRATCH_BYTES = 256 * 1024


class RecvWork(Work):
    """A posted receive."""

    __slots__ = (
        "array",
        "control",
        "ctx",
        "deliver_s",
        "done",
        "endpoint",
        "error",
        "keeps",
        "kept",
        "name",
        "op",
        "out",
        "plus",
        "posted_s",
        "src",
        "tag",
    )

    def __init__(self, endpoint, src: int, ctx: int, tag: int, out, op: str | None, control: bool,
                 plus: np.ndarray | None = None, keeps: bool = False):
        self.endpoint, self.src, self.ctx, self.tag, self.out, self.op = endpoint, src, ctx, tag, out, op
        self.plus = plus
        self.keeps = keeps                  # what lies in shared memory is still needed there when this is done
        self.posted_s = 0.0                 # on a throttled link: since when it has been waited for
        self.kept: Incoming | None = None   # and this is it: the sender is owed its credit
        self.array, self.name = (None, None) if out is None else arrays.out_view(out)
        self.control, self.done, self.error, self.deliver_s = control, False, None, 0.0

    def is_completed(self) -> bool:
        if not self.done:
            self.endpoint.progress(0)
        return self.done and (not self.deliver_s or time.monotonic() >= self.deliver_s)

    def wait(self, timeout_s: float | None = None):
        since_s = self.endpoint.meter.now_s() if self.posted_s else 0.0
        if not self.done:
            try:
                self.endpoint.wait_until(self, timeout_s)
            except TimeoutError:
                self.endpoint.withdraw(self)
                raise
        if self.deliver_s:
            self.endpoint.hold_until(self.deliver_s, since_s)
        if self.error is not None:
            raise self.error
        if self.out is None:
            self.out = arrays.tensor_of(self.array, self.name)
        return self.out

    @property
    def short(self) -> bool:
        """Whether it is known to come in one piece, behind its header."""
        return self.array is not None and self.array.nbytes <= INLINE_LIMIT

    def call(self) -> str:
        return f"{label(self.tag)}()" if self.control else f"recv(src={self.src}, tag={label(self.tag)})"

    @property
    def peer(self) -> int:
        return self.src


class LetterWait:
    """Waiting for mail of one group."""

    peer = None
    short = True                  # mostly: a request, an acknowledgement

    def __init__(self, box: deque, timeout_s: float | None):
        self.box, self.timeout_s = box, timeout_s

    @property
    def done(self) -> bool:
        return bool(self.box)

    def call(self) -> str:
        return "poll()" if self.timeout_s is None else f"poll(timeout_s={self.timeout_s:g})"


class Incoming:
    """One message from one peer; created when its header is complete."""

    __slots__ = (
        "deliver_s",
        "discard",
        "fill",
        "flat",
        "header",
        "landed",
        "mail",
        "name",
        "op",
        "own",
        "place",
        "plus",
        "scratch",
        "shape",
        "src",
        "view",
        "work",
    )

    def __init__(self, header: wire.Header, src: int, shape=None, name: str = "uint8"):
        self.header, self.src, self.shape, self.name = header, src, shape, name
        self.work: RecvWork | None = None
        self.own = self.flat = self.op = self.plus = self.scratch = self.view = self.place = self.mail = None
        self.landed = self.fill = 0
        self.discard = False
        self.deliver_s = 0.0

    @property
    def complete(self) -> bool:
        return self.view is not None or self.landed == self.header.payload_bytes

    def aim(self, out: np.ndarray, op: str | None, plus: np.ndarray | None = None) -> None:
        """Let the bytes that are still to come go into `out`."""
        self.flat, self.op, self.plus = out.reshape(-1), op, None if plus is None else plus.reshape(-1)
        if op is None:
            self.flat = self.flat.view(np.uint8)

    def aim_at_own(self) -> None:
        """Keep the bytes here. What was merely claimed is not allocated beyond a step."""
        self.own = np.empty(min(self.header.payload_bytes, wire.STEP), np.uint8)

    # ---- bytes that lie somewhere already (small frames, shared memory) ----

    def land(self, piece: np.ndarray) -> None:
        """Take the next bytes of the payload: `piece` is uint8, whole elements when they are to be reduced."""
        size, at = len(piece), self.landed
        if self.flat is None and not self.discard:
            self._room(at + size)
            self.own[at:at + size] = piece
        self.landed = at + size
        if self.discard or self.flat is None:
            return
        if self.op is None:
            self.flat[at:at + size] = piece
        else:
            part = slice(at // self.flat.itemsize, (at + size) // self.flat.itemsize)
            plus = None if self.plus is None else self.plus[part]
            arrays.land(self.flat[part], piece.view(self.flat.dtype), self.op, self.name, plus)

    # ---- bytes that are read from a socket straight to their place ----

    def room(self) -> memoryview:
        """Where the socket may write next."""
        left = self.header.payload_bytes - self.landed
        if self.discard or (self.flat is not None and self.op is not None):
            if self.scratch is None:
                self.scratch = np.empty(_SCRATCH_BYTES, np.uint8)
            return memoryview(self.scratch)[self.fill:min(_SCRATCH_BYTES, left)]
        if self.flat is None:
            self._room(min(self.landed + 1, self.header.payload_bytes))
            return memoryview(self.own)[self.landed:]
        return memoryview(self.flat)[self.landed:]

    def filled(self, size: int) -> None:
        """`size` bytes were written into `room()`."""
        if self.scratch is None:
            self.landed += size
            return
        self.fill += size
        item = 1 if self.discard else self.flat.itemsize
        whole = self.fill - self.fill % item
        if whole and (self.fill == _SCRATCH_BYTES or self.landed + self.fill == self.header.payload_bytes):
            self.land(self.scratch[:whole])
            rest = self.fill - whole
            self.scratch[:rest] = self.scratch[whole:self.fill]
            self.fill = rest

    def _room(self, needed: int) -> None:
        if needed > len(self.own):
            larger = np.empty(min(max(needed, 2 * len(self.own)), self.header.payload_bytes), np.uint8)
            larger[:self.landed] = self.own[:self.landed]
            self.own = larger

    # ---- hand over ----

    def array(self) -> np.ndarray:
        """The whole payload as an array of its shape, owned by the receiver."""
        raw = self.view.copy() if self.view is not None else self.own
        return raw.view(arrays.numpy_dtype(self.name)).reshape(self.shape)

    def letter(self) -> Mail:
        """The payload as the tensors of a mail; they share the message's buffer, which is theirs now."""
        pieces, at = [], 0
        for shape, name in self.mail[2]:
            size = math.prod(shape) * arrays.numpy_dtype(name).itemsize
            pieces.append(self.own[at:at + size])
            at += size
        return ArrivedMail(self.src, self.mail, pieces)


class ArrivedMail(Mail):
    """A letter whose tensors are made when they are asked for: many readers want the arrays only, or nothing."""

    def __init__(self, src: int, mail: tuple, pieces: list[np.ndarray]):
        self.src = src
        self.kind, self.meta, self._shapes = mail
        self._pieces: list[np.ndarray] | None = pieces           # uint8, one for each tensor
        self._tensors: list | None = None

    @property
    def tensors(self):
        if self._tensors is None:
            self._tensors = self.tensors_of(self.views())
        return self._tensors

    @tensors.setter
    def tensors(self, tensors):
        self._tensors = tensors

    def views(self):
        if self._tensors is not None:
            return super().views()
        views = []
        for piece, (shape, name) in zip(self._pieces, self._shapes):
            dtype = arrays.numpy_dtype(name)
            view = piece.view(dtype)
            if not view.flags.aligned:                   # an element must begin at a multiple of its size
                view = piece.copy().view(dtype)
            views.append(view.reshape(shape))
        return views

    def tensors_of(self, views: list[np.ndarray]) -> list:
        return [arrays.tensor_of(view, name) for view, (_, name) in zip(views, self._shapes)]
