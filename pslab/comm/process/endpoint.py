"""One rank's end of a world of processes: matches messages with receives, and waits.

    isend ─> channel ─> … ─> announced() ─> posted receive, or kept until one is posted
    post  ─> channel ─> … ─> arrived()   ─> letter box of its group

All reading and writing happens inside comm calls, in `progress`: one poll over the sockets of all peers. A wait longer
than PATIENCE_S is put on the notice board with the user's line, so that the caller can tell who waits for whom.
"""

from __future__ import annotations

import select
import time
from collections import deque

from .. import arrays, wire
from ..errors import user_line
from ..face import Endpoint, Link, Mail
from . import board as notice
from .channel import INLINE_LIMIT, Channel, Outgoing
from .incoming import Incoming, LetterWait, RecvWork
from .meter import Meter
from .outgoing import SendWork, flags_of

PATIENCE_S = 0.05
_INTEGERS = frozenset(name for name in arrays.DTYPES if "int" in name)       # of mail, these tensors count as keys


class ProcessEndpoint(Endpoint):
    """What ProcessWorld gives rank `rank`. `socks` has a socket for each peer; `heap` is None without shared memory."""

    def __init__(self, rank: int, world_size: int, socks: dict, heap, peer_heaps: dict, board):
        self.rank, self.world_size, self.heap, self.board = rank, world_size, heap, board
        self.seed = self.epoch = 0
        self.poller = select.poll()
        self.channels: list[Channel | None] = [None] * world_size
        self.by_fd: dict[int, Channel] = {}
        for peer, sock in socks.items():
            channel = self.channels[peer] = Channel(self, peer, sock, heap, peer_heaps.get(peer))
            self.by_fd[channel.fd] = channel
            self.poller.register(channel.fd, select.POLLIN)
        self.fields = board.row(rank)
        self.begin(0, 0, None, False, None)

    def begin(self, epoch: int, seed: int, link: Link | None, trace: bool, on_report) -> None:
        """Forget the run before."""
        self.epoch, self.seed, self.on_report = epoch, seed, on_report
        self.meter = Meter(self.rank, self.board, link, trace)
        self.posted: dict[tuple, deque[RecvWork]] = {}
        self.unexpected: dict[tuple, deque[Incoming]] = {}
        self.letters: dict[int, deque[tuple[float, Mail]]] = {}
        self.late_error: Exception | None = None
        for channel in self.channels:
            if channel is not None:
                channel.reset()

    # ---- tensors ----------------------------------------------------------------------------------------------------

    def isend(self, array, name, dst, ctx, tag, sync, control):
        channel, size = self.channels[dst], array.nbytes
        flags = flags_of(sync, control)
        work = SendWork(self, dst, tag, 1 + bool(sync), control)
        descriptor = wire.describe(array.shape, name)
        channel.number += 1
        stamp_s = 0.0
        if not control:
            self.meter.tensor_out(dst, size)
            stamp_s, work.leave_s = self.meter.leave(size)
        place = self.heap.find(array) if self.heap is not None and size > INLINE_LIMIT else None
        pieces = []
        if place is not None:
            flags |= wire.SHARED
            descriptor += place.to_bytes(8, "little")
            work.owed, work.lent = 1, array
        elif size:
            pieces = [array.reshape(-1).view("uint8")]
        staged = self.heap is not None and size > INLINE_LIMIT and place is None
        if not staged and place is None:
            flags |= wire.INLINE
        if sync or place is not None:
            channel.waiting[channel.number] = work
        head = wire.pack(wire.TENSOR, flags, self.epoch, ctx, tag, len(descriptor), channel.number, size, stamp_s)
        channel.send(Outgoing(head + descriptor, pieces, None if place is not None else work, staged))
        return work

    def irecv(self, src, ctx, tag, out, op, control):
        work = RecvWork(self, src, ctx, tag, out, op, control)
        key = (src, ctx, tag)
        kept = self.unexpected.get(key)
        if kept:
            incoming = kept.popleft()
            self._match(self.channels[src], incoming, work)
            if incoming.complete and not incoming.discard:
                self._finish(incoming)
        else:
            self.posted.setdefault(key, deque()).append(work)
        return work

    def announced(self, channel: Channel, incoming: Incoming) -> None:
        """A tensor's header came: find the receive that waits for it, or keep it."""
        header = incoming.header
        incoming.deliver_s = self.meter.enter(header)
        key = (incoming.src, header.ctx, header.tag)
        waiting = self.posted.get(key)
        if waiting:
            self._match(channel, incoming, waiting.popleft())
        else:
            self.unexpected.setdefault(key, deque()).append(incoming)
            if incoming.view is None:
                incoming.aim_at_own()

    def _match(self, channel: Channel, incoming: Incoming, work: RecvWork) -> None:
        header = incoming.header
        if not header.flags & wire.CONTROL:
            self.meter.tensor_in(incoming.src)
        if work.array is not None:
            try:
                arrays.check_fits(work.array, work.name, incoming.shape, incoming.name, incoming.src, self.rank)
            except ValueError as error:
                work.error, work.done, incoming.discard = error, True, True
                text = str(error).encode()
                frame = wire.pack(wire.NACK, 0, self.epoch, number=header.number, descriptor_bytes=len(text))
                channel.say(frame + text)
                return
            if incoming.own is None:
                incoming.aim(work.array, work.op)
        elif incoming.own is None and incoming.view is None:
            incoming.aim_at_own()
        incoming.work = work
        if header.flags & wire.SYNC and not header.flags & wire.SHARED:
            channel.say(wire.pack(wire.ACK, 0, self.epoch, number=header.number))

    def arrived(self, channel: Channel, incoming: Incoming) -> None:
        """All bytes of a message are here."""
        if incoming.mail is not None:
            self._letter(incoming)
        elif incoming.work is not None:
            self._finish(incoming)

    def _finish(self, incoming: Incoming) -> None:
        work, header = incoming.work, incoming.header
        if work.array is None:
            work.array, work.name = incoming.array(), incoming.name
        elif incoming.view is not None:
            incoming.land(incoming.view)
        elif incoming.own is not None:
            arrays.land(work.array, incoming.array(), work.op, work.name)
        if header.flags & wire.SHARED:
            channel = self.channels[incoming.src]
            channel.say(wire.pack(wire.CREDIT, wire.SHARED, self.epoch, number=header.number))
        work.done, work.deliver_s = True, incoming.deliver_s
        self.fields[notice.PROGRESS] += 1
        if not header.flags & wire.CONTROL:
            self.meter.log(header, incoming.src, incoming.deliver_s, "tensor", str(header.tag))

    # ---- mail -------------------------------------------------------------------------------------------------------

    def post(self, dst, ctx, kind, meta, tensors, retry=False):
        views = [arrays.view(tensor, f"tensors[{i}]") for i, tensor in enumerate(tensors)]
        descriptor, head_bytes = wire.describe_mail(kind, meta, views)
        if dst == self.rank:
            kind, meta, _ = wire.read_mail(descriptor, sum(a.nbytes for a, _ in views))
            copies = [arrays.tensor_of(a.copy(), name) for a, name in views]
            self.letters.setdefault(ctx, deque()).append((0.0, Mail(self.rank, kind, meta, copies)))
            return
        keys = sum(array.nbytes for array, name in views if name in _INTEGERS)
        size = sum(array.nbytes for array, _ in views)
        self.meter.mail_out(dst, size - keys, keys, head_bytes, retry)
        channel = self.channels[dst]
        staged = self.heap is not None and size > INLINE_LIMIT
        stamp_s, _ = self.meter.leave(size + head_bytes)
        head = wire.pack(wire.MAIL, 0 if staged else wire.INLINE, self.epoch, ctx, head_bytes, len(descriptor), 0, size,
                         stamp_s)
        pieces = [array.reshape(-1).view("uint8") for array, _ in views if array.size]
        message = Outgoing(head + descriptor, pieces, None, staged)
        channel.send(message)
        channel.detach(message)

    def poll(self, ctx, timeout_s):
        box = self.letters.setdefault(ctx, deque())
        if not box:
            try:
                self.wait_until(LetterWait(box, timeout_s), timeout_s)
            except TimeoutError:
                self.fields[notice.SINCE_US] = int(time.monotonic() * 1e6)
                self.fields[notice.STATE] = notice.IDLE
                return None
        self.fields[notice.STATE] = notice.RUNNING
        deliver_s, mail = box.popleft()
        if deliver_s:
            self.hold_until(deliver_s)
        return mail

    def _letter(self, incoming: Incoming) -> None:
        mail = incoming.letter()
        self.letters.setdefault(incoming.header.ctx, deque()).append((incoming.deliver_s, mail))
        self.fields[notice.PROGRESS] += 1
        self.meter.log(incoming.header, incoming.src, incoming.deliver_s, "mail", mail.kind)

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def progress(self, timeout_ms: float) -> bool:
        """Read and write what can be, after waiting up to timeout_ms for the first chance; False when none came."""
        ready = self.poller.poll(timeout_ms)
        for fd, event in ready:
            channel = self.by_fd.get(fd)
            if channel is None:
                continue
            if event & select.POLLOUT:
                channel.write()
            if event & ~select.POLLOUT:
                channel.read()
        return bool(ready)

    def wait_until(self, waited, timeout_s: float | None) -> None:
        """Make progress until `waited.done`; TimeoutError after timeout_s."""
        since_s = time.monotonic()
        patience_s, marked = PATIENCE_S, False
        while not waited.done:
            if self.late_error is not None:
                error, self.late_error = self.late_error, None
                raise error
            spent_s = time.monotonic() - since_s
            left_s = patience_s if timeout_s is None else max(min(patience_s, timeout_s - spent_s), 0)
            if self.progress(left_s * 1000):
                patience_s = PATIENCE_S              # what came may change the note: look again soon
                continue
            spent_s = time.monotonic() - since_s
            if timeout_s is not None and spent_s >= timeout_s:
                if marked:
                    self.fields[notice.STATE] = notice.RUNNING
                raise TimeoutError(f"rank {self.rank}: {waited.call()} waited {timeout_s:g} s for rank {waited.peer} "
                                   f"at {user_line(2)}")
            if spent_s >= PATIENCE_S:
                if marked and waited.peer is not None and self.channels[waited.peer].closed:
                    raise self.channels[waited.peer].gone()
                text = f"{waited.call()}\0{user_line(2)}\0{self._kept()}"
                self.board.blocked(self.rank, since_s, waited.peer, text)
                patience_s, marked = 1.0, True
        if marked:
            self.fields[notice.STATE] = notice.RUNNING

    def withdraw(self, work: RecvWork) -> None:
        """A receive that gave up must not take the message that comes later."""
        waiting = self.posted.get((work.src, work.ctx, work.tag))
        if waiting and work in waiting:
            waiting.remove(work)

    def hold_until(self, moment_s: float) -> None:
        """On a throttled link bytes come sooner than they would: wait for the modelled moment, serving peers."""
        while (left_s := moment_s - time.monotonic()) > 0:
            self.progress(max(left_s * 1000, 0.01) if left_s > 0.001 else 0)

    def flush(self) -> None:
        """At the end of a program: let everything out that a peer who still runs may want."""
        since_s = time.monotonic()
        while True:
            busy = [c for c in self.channels if c is not None and c.busy
                    and self.board.fields[c.peer, notice.STATE] != notice.DONE]
            if not busy:
                break
            if not self.progress(PATIENCE_S * 1000):
                self.board.blocked(self.rank, since_s, busy[0].peer, "finish: a message is still to be taken\0\0")
        self.fields[notice.STATE] = notice.DONE

    def watch(self, channel: Channel, writing: bool) -> None:
        if channel.fd in self.by_fd:
            self.poller.modify(channel.fd, select.POLLIN | (select.POLLOUT if writing else 0))

    def forget(self, channel: Channel) -> None:
        self.poller.unregister(channel.fd)
        self.by_fd.pop(channel.fd, None)

    # ---- the rest of the face ---------------------------------------------------------------------------------------

    def now(self) -> float:
        return time.monotonic() - self.meter.began_s

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def compute(self, seconds: float) -> None:
        return None

    def report(self, value) -> None:
        self.on_report(value)

    def empty(self, shape, name):
        array = arrays.empty(shape, name) if self.heap is None else self.heap.empty(shape, name)
        return arrays.tensor_of(array, name)

    def _kept(self) -> str:
        """What lies here that nobody asked for: the usual trace of a wrong tag."""
        kept = [f"rank {src} sent tag {tag}" for (src, _, tag), q in self.unexpected.items() if q and tag >= 0]
        return "here, not asked for: " + "; ".join(kept[:3]) if kept else ""
