"""One rank's end of a TorchWorld: matches headers with receives, keeps letters, waits.

    isend ─> header over the channel ─> announced() ─> posted receive, or kept until one is posted
    post  ─> whole letter over the channel ─> letter box of its group
    notes of the world itself (states, results, failures; `watch`) travel as letters marked CONTROL

All reading and writing happens inside comm calls, in `progress`: one poll over the sockets of all peers. Payloads of
tensors take torch.distributed's roads once both sides are ready; empty ones and those of barrier and split are so small
that they come with their header.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque

import numpy as np
import torch

from .. import arrays, wire
from ..calls import CallLog
from ..errors import user_line
from ..face import Endpoint, Mail
from ..ledger import KINDS
from ..threads import Threaded
from .channel import Channel, Lines
from .patience import LARGE_BYTES, wait_watching
from .watch import Watch
from .works import LetterWait, RecvWork, SendWork, letter

PATIENCE_S = 0.05
BETWEEN_POLLS_S = 0.2                         # who stays away longer after a poll in vain has been computing
DEVICE = 16                                   # a flag beside those of wire.py: the payload lies on an accelerator
SENT = wire.CREDIT
VALS, KEYS, HEADERS, RETRIES = (KINDS.index(kind) for kind in ("vals", "keys", "header", "retry"))
_INTEGERS = frozenset(name for name in arrays.DTYPES if "int" in name and name != "int8")     # of mail, these are keys


class TorchEndpoint(Lines, Threaded, Endpoint):
    """What TorchWorld gives rank `rank`: `socks` has a connected socket for each peer, `roads` carry payloads."""

    def __init__(self, rank: int, world_size: int, socks: dict, roads):
        self.rank, self.world_size, self.roads = rank, world_size, roads
        self.seed = self.epoch = 0
        self.launcher = os.getppid() if os.environ.get("TORCHELASTIC_RUN_ID") else None     # torchrun sets that
        self.watch_of_run = Watch(self, 30.0, 3600.0, None)
        self._clear()
        self.open(socks)

    def begin(self, epoch: int, seed: int, watch: Watch) -> None:
        """Forget the run before, and read what peers who are ahead have sent of this one."""
        self._clear()
        self.epoch, self.seed, self.watch_of_run = epoch, seed, watch
        self.parse()

    def _clear(self) -> None:
        self.began_s = time.monotonic()
        self.posted: dict[tuple, deque[RecvWork]] = {}
        self.unexpected: dict[tuple, deque[tuple]] = {}
        self.letters: dict[int, deque[Mail]] = {}
        self.logs: dict[int, CallLog] = {}
        self.sending: dict[tuple[int, int], SendWork] = {}        # (dst, number) -> waits for ACK
        self.leaving: list[SendWork] = []                         # accepted; the bytes may be on their way
        self.arriving: dict[tuple[int, int], RecvWork] = {}       # (src, number) -> waits for SENT
        self.late_error: Exception | None = None
        self.number = self.progressed = 0
        self.idle_s = 0.0
        self.counts = np.zeros((self.world_size, len(KINDS)), np.int64)      # what this rank sent, by receiver
        self.sent, self.tensors_out, self.tensors_in = np.zeros((3, self.world_size), np.int64)

    # ---- tensors ----------------------------------------------------------------------------------------------------

    def isend(self, array, name, dst, ctx, tag, sync, control):
        if control or not array.size:
            piece = array.reshape(-1).view(np.uint8)
            return self._offer(None, piece, array.shape, name, dst, ctx, tag, sync, control, 0)
        return self._offer(torch.from_numpy(array.reshape(-1).view(np.uint8)), None, array.shape, name, dst, ctx, tag,
                           sync, control, 0)

    def isend_device(self, tensor: torch.Tensor, dst: int, ctx: int, tag: int, sync: bool) -> SendWork:
        """As isend, for a tensor on an accelerator."""
        tensor = tensor.detach().contiguous()
        name = arrays.dtype_name(tensor.dtype)
        return self._offer(tensor.reshape(-1).view(torch.uint8), None, tuple(tensor.shape), name, dst, ctx, tag, sync,
                           False, DEVICE)

    def _offer(self, body, piece, shape, name, dst, ctx, tag, sync, control, flags) -> SendWork:
        """Tell the receiver what there is; `piece` (uint8) goes along, `body` when it is ready for it."""
        self.number += 1
        size = body.numel() if piece is None else piece.size
        work = SendWork(self, dst, tag, control, body, piece is None or sync, bool(flags & DEVICE))
        if not control:
            self.counts[dst, VALS] += size
            self.sent[dst] += 1
            self.tensors_out[dst] += 1
        if work.owed:
            self.sending[dst, self.number] = work
        flags |= (wire.CONTROL if control else 0) | (wire.INLINE if piece is not None else 0) | \
            (wire.SYNC if work.owed else 0)
        descriptor = wire.describe(tuple(shape), name)
        head = wire.pack(wire.TENSOR, flags, self.epoch, ctx, tag, len(descriptor), self.number, size)
        self.channels[dst].send(head + descriptor, [] if piece is None or not piece.size else [piece])
        return work

    def irecv(self, src, ctx, tag, out, op, control):
        work = RecvWork(self, src, ctx, tag, out, op, control)
        self._post(work)
        return work

    def _post(self, work: RecvWork) -> None:
        key = (work.src, work.ctx, work.tag)
        kept = self.unexpected.get(key)
        if kept:
            self._match(*kept.popleft(), work)
        else:
            self.posted.setdefault(key, deque()).append(work)

    def post_again(self, work: RecvWork) -> None:
        """Waiting again after a time-out."""
        if not work.posted:
            work.posted = True
            self._post(work)

    def withdraw(self, work: RecvWork) -> None:
        """A receive that gave up must not take the message that comes later."""
        waiting = self.posted.get((work.src, work.ctx, work.tag))
        if waiting and work in waiting:
            waiting.remove(work)
            work.posted = False

    def _match(self, src: int, header: wire.Header, shape: tuple, name: str, payload, work: RecvWork) -> None:
        if not header.flags & wire.CONTROL:
            self.tensors_in[src] += 1
        try:
            target = work.aim(shape, name, bool(header.flags & DEVICE), bool(header.flags & wire.INLINE))
        except ValueError as error:
            work.error, work.done = error, True
            self._say(src, wire.NACK, header.number, str(error).encode())
            return
        if header.flags & wire.INLINE:
            target.take(payload, work.op)
        else:
            work.handle = self.roads.receive(target.aim(work.op), src, target.device)
            self.arriving[src, header.number] = work
        if header.flags & wire.SYNC:
            self._say(src, wire.ACK, header.number)
        if header.flags & wire.INLINE:
            self._landed(work)

    def _landed(self, work: RecvWork) -> None:
        if work.out is None:
            work.out = arrays.tensor_of(work.target.array, work.target.name)
        work.done = True
        self.progressed += 1

    def transferred(self, handle, work, size: int, device: bool) -> None:
        """Wait for a transfer that both sides have started."""
        since_s, peer = time.monotonic(), work.peer
        try:
            if size < LARGE_BYTES or device:
                handle.wait()
            else:
                wait_watching(handle, lambda: self.watch_of_run.transfers(work, since_s), self.watch_of_run.beat_s)
        except RuntimeError as error:
            self.watch_of_run.fail({"kind": "died", "rank": peer, "why": f"torch.distributed said: {error}"})
            raise self.watch_of_run.error from error

    # ---- frames -----------------------------------------------------------------------------------------------------

    def frame(self, channel: Channel, header: wire.Header, descriptor: bytes, payload: np.ndarray) -> None:
        """A whole frame of this run."""
        src = channel.peer
        if header.kind == wire.TENSOR:
            shape, name = wire.shape_of(descriptor, header.payload_bytes)
            waiting = self.posted.get((src, header.ctx, header.tag))
            if waiting:
                self._match(src, header, shape, name, payload, waiting.popleft())
            else:
                kept = self.unexpected.setdefault((src, header.ctx, header.tag), deque())
                kept.append((src, header, shape, name, payload))
        elif header.kind == wire.MAIL:
            mail = letter(src, descriptor, payload)
            if header.flags & wire.CONTROL:
                self.watch_of_run.note(mail)
            else:
                self.letters.setdefault(header.ctx, deque()).append(mail)
                self.progressed += 1
        elif header.kind == SENT:
            work = self.arriving.pop((src, header.number), None)
            if work is not None:
                self.transferred(work.handle, work, header.payload_bytes, work.target.device)
                work.handle = None
                work.target.land(work.op)
                self._landed(work)
        elif header.kind in (wire.ACK, wire.NACK):
            self._answered(src, header.number, descriptor if header.kind == wire.NACK else None)

    def _answered(self, src: int, number: int, refusal: bytes | None) -> None:
        work = self.sending.pop((src, number), None)
        if refusal is not None:
            error = ValueError(refusal.decode(errors="replace"))
            if work is None:
                self.late_error = error
            else:
                work.refused(error)
        elif work is not None:
            work.accepted()
            if work.handle is not None:
                self.leaving = [w for w in self.leaving if w.handle is not None]
                self.leaving.append(work)
                self._say(src, SENT, number)

    def _say(self, dst: int, kind: int, number: int, text: bytes = b"") -> None:
        self.channels[dst].send(wire.pack(kind, 0, self.epoch, number=number, descriptor_bytes=len(text)) + text)

    # ---- mail -------------------------------------------------------------------------------------------------------

    def post(self, dst, ctx, kind, meta, tensors, retry=False):
        views = [arrays.view(tensor, f"tensors[{i}]") for i, tensor in enumerate(tensors)]
        descriptor, head_bytes = wire.describe_mail(kind, meta, views)
        size = sum(array.nbytes for array, _ in views)
        if dst == self.rank:
            kind, meta, _ = wire.read_mail(descriptor, size)
            copies = [arrays.tensor_of(array.copy(), name) for array, name in views]
            self.letters.setdefault(ctx, deque()).append(Mail(self.rank, kind, meta, copies))
            return
        keys = sum(array.nbytes for array, name in views if name in _INTEGERS)
        if retry:
            self.counts[dst, RETRIES] += size + head_bytes
        else:
            self.counts[dst, VALS] += size - keys
            self.counts[dst, KEYS] += keys
            self.counts[dst, HEADERS] += head_bytes
        self.sent[dst] += 1
        self._write_letter(dst, ctx, 0, descriptor, views, size)

    def tell(self, dst: int, kind: str, meta: dict, tensors=()) -> None:
        """A note of the world itself: in no ledger, in no letter box."""
        views = [arrays.view(tensor) for tensor in tensors]
        descriptor, _ = wire.describe_mail(kind, meta, views)
        self._write_letter(dst, 0, wire.CONTROL, descriptor, views, sum(array.nbytes for array, _ in views))

    def _write_letter(self, dst: int, ctx: int, flags: int, descriptor: bytes, views: list, size: int) -> None:
        head = wire.pack(wire.MAIL, flags | wire.INLINE, self.epoch, ctx, 0, len(descriptor), 0, size)
        self.channels[dst].send(head + descriptor,
                                [array.reshape(-1).view(np.uint8) for array, _ in views if array.size])

    def poll(self, ctx, timeout_s):
        box = self.letters.setdefault(ctx, deque())
        if not box:
            if time.monotonic() - self.idle_s > BETWEEN_POLLS_S:
                self.progressed += 1                 # it came from work, not from another poll in vain
            try:
                self.wait_until(LetterWait(box, timeout_s), timeout_s)
            except TimeoutError:
                self.idle_s = time.monotonic()
                if self.watch_of_run.beat_is_due():
                    self.watch_of_run.waits(LetterWait(box, timeout_s), self.idle_s, user_line(2))
                return None
        return box.popleft()

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def wait_until(self, waited, timeout_s: float | None) -> None:
        """Make progress until `waited.done`; TimeoutError after timeout_s; what the watch finds is raised here."""
        since_s = time.monotonic()
        while not waited.done:
            self.check_strand(waited)
            spent_s = time.monotonic() - since_s
            patience_s = PATIENCE_S if spent_s < PATIENCE_S else self.watch_of_run.beat_s
            left_s = patience_s if timeout_s is None else max(min(patience_s, timeout_s - spent_s), 0)
            self.progress(math.ceil(left_s * 1000))
            if waited.done:
                return
            spent_s = time.monotonic() - since_s
            if timeout_s is not None and spent_s >= timeout_s:
                raise TimeoutError(f"rank {self.rank}: {waited.call()} waited {timeout_s:g} s for rank {waited.peer} "
                                   f"at {user_line(2)}")
            if spent_s >= PATIENCE_S and self.watch_of_run.beat_is_due():
                self.watch_of_run.waits(waited, since_s, user_line(2), self._kept())

    def check_strand(self, waited) -> None:
        self.watch_of_run.check()
        if self.late_error is not None:
            error, self.late_error = self.late_error, None
            raise error

    def hung_up(self, peer: int) -> None:
        self.watch_of_run.lost(peer)

    # ---- the rest of the face ---------------------------------------------------------------------------------------

    def now(self) -> float:
        return time.monotonic() - self.began_s

    def report(self, value) -> None:
        self.watch_of_run.report(value)
