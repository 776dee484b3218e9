"""Tensors between two ranks: a transfer is ready when the send and a matching receive are both posted.

    sender     isend ─────────┐ ready   start ════ end                    its wait() returns at end
    receiver           irecv ─┘           ════ ports held ════ ~~~~ arrive    its wait() returns at arrive
                                          overhead + bytes/bandwidth   latency

start is the first moment, from ready on, at which the sender's outgoing and the receiver's incoming port are both free;
ports are given out in the order in which transfers became ready. The bytes move once, straight from the sender's memory
into the receiver's: when the receiver takes them, or, if the sender's wait() comes first, there, because from then on
the sender may change them. A seal (a checksum) taken at isend and looked at in wait() finds out who changed them before.
"""

from __future__ import annotations

import zlib

import numpy as np

from .. import arrays
from ..errors import CommError, user_line
from ..face import Work
from ..trace import Event, Span
from .kernel import Alarm, Deadline


class Half(Work):
    """What sends and receives share: being waited for until `due_s`, which is None as long as there is no match."""

    __slots__ = ("array", "control", "ctx", "done", "due_s", "endpoint", "error", "name", "posted_s", "tag", "waiter")

    def is_completed(self) -> bool:
        return self.done or self.error is not None or (
            self.due_s is not None and self.due_s <= self.endpoint.kernel.now)

    def _block(self, timeout_s: float | None) -> None:
        """Park until due or failed; TimeoutError after timeout_s."""
        endpoint = self.endpoint
        kernel = endpoint.kernel
        waiter = endpoint.task
        if timeout_s is not None:
            waiter = Alarm(endpoint.task)
            kernel.at(kernel.now + timeout_s, Deadline(waiter))
        if self.due_s is None:
            self.waiter = waiter
        else:
            kernel.at(self.due_s, waiter)
        began_s = kernel.now
        kernel.park(self)
        self.waiter = None
        if endpoint.fabric.spans is not None and kernel.now > began_s:
            endpoint.fabric.spans.append(Span(endpoint.rank, "wait", began_s, kernel.now))
        if timeout_s is not None and waiter.late:
            raise TimeoutError(f"rank {endpoint.rank}: {self.describe()[0]} after {timeout_s:g} s of virtual time")


class Send(Half):
    """A tensor on its way out."""

    __slots__ = ("dst", "landed", "payload_bytes", "receive", "seal", "start_s", "sync", "where")

    def __init__(self, endpoint, array: np.ndarray, name: str, dst: int, ctx: int, tag: int, sync: bool, control: bool):
        self.endpoint, self.array, self.name, self.dst = endpoint, array, name, dst
        self.ctx, self.tag, self.sync, self.control = ctx, tag, sync, control
        self.payload_bytes = array.nbytes
        self.posted_s = endpoint.kernel.now
        self.due_s = self.waiter = self.error = self.receive = None
        self.done = self.landed = False
        self.where = user_line(4) if endpoint.fabric.events is not None and not control else ""
        self.seal = None if sync or control else _seal(array)

    def wait(self, timeout_s: float | None = None) -> None:
        if self.done:
            return
        due_s = self.due_s
        if (due_s is None or due_s > self.endpoint.kernel.now) and self.error is None:
            self._block(timeout_s)
        if self.error is not None:
            raise ValueError(self.error)
        if self.seal is not None and self.seal != _seal(self.array):
            raise CommError(f"rank {self.endpoint.rank}: the tensor of isend(dst={self.dst}, tag={self.tag})"
                            f"{' at ' + self.where if self.where else ''} was changed before wait() returned "
                            f"({user_line(2)}); wait first, or send a copy")
        if not self.landed:
            self.receive.land()
        self.done = True
        self.array = self.receive = None

    def describe(self) -> tuple[str, int | None]:
        if self.control:
            return ("barrier()" if self.tag == -1 else "split()"), self.dst
        text = f"(dst={self.dst}, tag={self.tag})"
        return ("send" + text if self.sync else f"isend{text}.wait()"), self.dst


class Receive(Half):
    """A tensor on its way in, to `out` or to memory of its own."""

    __slots__ = ("op", "out", "send", "src")

    def __init__(self, endpoint, src: int, ctx: int, tag: int, out, op: str | None, control: bool):
        self.endpoint, self.src, self.ctx, self.tag, self.out, self.op = endpoint, src, ctx, tag, out, op
        self.control = control
        self.posted_s = endpoint.kernel.now
        self.due_s = self.waiter = self.error = self.send = None
        self.done = False
        self.array, self.name = (None, None) if out is None else arrays.out_view(out)

    def wait(self, timeout_s: float | None = None):
        if self.done:
            return self.out
        kernel = self.endpoint.kernel
        due_s = self.due_s
        if (due_s is None or due_s > kernel.now) and self.error is None:
            self._block(timeout_s)
        if self.error is not None:
            raise ValueError(self.error)
        send = self.send
        if not send.landed:
            self.land()
        events = self.endpoint.fabric.events
        if events is not None and not self.control:
            events.append(self.event(kernel.now))
        self.done = True
        self.array = None
        return self.out

    def land(self) -> None:
        """Move the bytes."""
        send = self.send
        if self.out is None:
            self.out = arrays.tensor_of(send.array.copy(), send.name)
        else:
            arrays.land(self.array, send.array, self.op, self.name)
        send.landed = True

    def event(self, received_s: float) -> Event:
        send = self.send
        return Event(self.src, self.endpoint.rank, "tensor", str(self.tag), send.payload_bytes, send.posted_s,
                     send.start_s, send.due_s, self.due_s, received_s)

    def describe(self) -> tuple[str, int | None]:
        if self.control:
            return ("barrier()" if self.tag == -1 else "split()"), self.src
        return f"recv(src={self.src}, tag={self.tag})", self.src


def begin(send: Send, receive: Receive) -> None:
    """Both are there: give the transfer its ports, or tell both sides that they do not fit."""
    sender, receiver = send.endpoint, receive.endpoint
    kernel = sender.kernel
    if receive.array is not None and (receive.name != send.name or receive.array.shape != send.array.shape):
        _refuse(send, receive)
        return
    link = sender.fabric.link_of(sender.rank, receiver.rank)
    start_s, end_s = sender.fabric.reserve(sender, receiver, link, send.payload_bytes)
    send.start_s, send.due_s, receive.due_s = start_s, end_s, end_s + link.latency_s
    send.receive, receive.send = receive, send
    if send.waiter is not None:
        kernel.at(end_s, send.waiter)
    if receive.waiter is not None:
        kernel.at(receive.due_s, receive.waiter)


def _refuse(send: Send, receive: Receive) -> None:
    try:
        arrays.check_fits(receive.array, receive.name, send.array.shape, send.name, send.endpoint.rank,
                          receive.endpoint.rank)
    except ValueError as error:
        send.error = receive.error = str(error)
    for half in (send, receive):
        if half.waiter is not None:
            half.endpoint.kernel.at(half.endpoint.kernel.now, half.waiter)


def _seal(array: np.ndarray) -> int:
    """A checksum of the bytes; of large arrays, one of 4 KB that every byte has a part in (10 times faster)."""
    if array.nbytes > 65536 and array.nbytes % 8 == 0:
        words = array.reshape(-1).view(np.uint64)
        whole = len(words) // 512 * 512
        folded = np.bitwise_xor.reduce(words[:whole].reshape(-1, 512), axis=0)
        return zlib.crc32(words[whole:], zlib.crc32(folded))
    return zlib.crc32(array)
