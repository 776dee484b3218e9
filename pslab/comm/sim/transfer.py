"""Tensors between two ranks: a transfer is ready when the send and a matching receive are both posted.

    sender     isend ─────────┐ ready   start ════ end                    its wait() returns at end
    receiver           irecv ─┘           ════ ports held ════ ~~~~ arrive    its wait() returns at arrive
                                          overhead + bytes/bandwidth   latency

start is the first moment, from ready on, at which the sender's outgoing and the receiver's incoming port are both free;
ports are given out in the order in which transfers became ready. The bytes move once, straight from the sender's memory
into the receiver's, as soon as the transfer is ready and the receiver waits for it: never earlier, so that a program
that looks into `out` before wait() is found out. (When the sender's wait() comes first, they are put aside there.)
A seal (a checksum) taken at isend and looked at in wait() tells when the sender changed them in between.
"""

from __future__ import annotations

import zlib

import numpy as np

from .. import arrays
from ..errors import CommError, user_line
from ..face import Work
from ..trace import Event, Span
from .kernel import Alarm, Deadline, Task


class Half(Work):
    """What sends and receives share: being waited for until `due_s`, which is None as long as there is no match."""

    due_s: float | None = None
    waiter = None                   # who to put into the queue at due_s: a Task, or an Alarm when it waits with a limit
    error: str | None = None        # the two halves do not fit
    done = False

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
            raise TimeoutError(f"rank {endpoint.rank}: {self.describe()[0]} took longer than timeout_s={timeout_s:g} "
                               "seconds of virtual time")


class Send(Half):
    """A tensor on its way out."""

    receive: Receive | None = None
    where = ""                      # the user's line that posted it, kept when a trace is
    seal: int | None = None
    sync = control = False

    def __init__(self, endpoint, array: np.ndarray, name: str, dst: int, key: tuple):
        self.endpoint, self.array, self.name, self.dst, self.key = endpoint, array, name, dst, key
        self.payload_bytes = array.nbytes
        self.posted_s = endpoint.kernel.now

    def wait(self, timeout_s: float | None = None) -> None:
        if self.done:
            return
        due_s = self.due_s
        if (due_s is None or due_s > self.endpoint.kernel.now) and self.error is None:
            self._block(timeout_s)
        if self.error is not None:
            raise ValueError(self.error)
        if self.seal is not None and self.seal != seal_of(self.array):
            raise CommError(f"rank {self.endpoint.rank}: the tensor of isend(dst={self.dst}, tag={self.key[2]})"
                            f"{' at ' + self.where if self.where else ''} was changed before wait() returned "
                            f"({user_line(2)}); wait first, or send a copy")
        if self.receive is not None and not self.receive.landed:
            self.array = self.array.copy()          # the receiver has not asked for it yet, and this buffer is free now
        self.receive = None
        self.done = True

    def describe(self) -> tuple[str, int | None]:
        if self.control:
            return _control(self.key[2]), self.dst
        text = f"(dst={self.dst}, tag={self.key[2]})"
        return ("send" + text if self.sync else f"isend{text}.wait()"), self.dst


class Receive(Half):
    """A tensor on its way in, to `out` or to memory of its own."""

    send: Send | None = None
    landed = False

    def __init__(self, endpoint, key: tuple, out, op: str | None, control: bool):
        self.endpoint, self.key, self.out, self.op, self.control = endpoint, key, out, op, control
        self.array, self.name = (None, None) if out is None else arrays.out_view(out)

    def wait(self, timeout_s: float | None = None):
        if self.done:
            return self.out
        kernel = self.endpoint.kernel
        due_s = self.due_s
        if (due_s is None or due_s > kernel.now) and self.error is None:
            if due_s is not None and timeout_s is None:
                self.land()
            self._block(timeout_s)
        if self.error is not None:
            raise ValueError(self.error)
        if not self.landed:
            self.land()
        events = self.endpoint.fabric.events
        if events is not None and not self.control:
            events.append(self.event(kernel.now))
        self.done = True
        self.send = None
        return self.out

    def land(self) -> None:
        """Move the bytes, now that the receiver waits for them."""
        send = self.send
        if self.out is None:
            self.out = arrays.tensor_of(send.array.copy(), send.name)
        else:
            arrays.land(self.array, send.array, self.op, self.name)
        self.landed = True

    def event(self, received_s: float) -> Event:
        send = self.send
        return Event(self.key[0], self.endpoint.rank, "tensor", str(self.key[2]), send.payload_bytes, send.posted_s,
                     send.start_s, send.due_s, self.due_s, received_s)

    def describe(self) -> tuple[str, int | None]:
        src, _, tag = self.key
        return (_control(tag) if self.control else f"recv(src={src}, tag={tag})"), src


def _control(tag: int) -> str:
    return "barrier()" if tag == -1 else "split()"


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
        if type(receive.waiter) is Task:
            receive.land()


def _refuse(send: Send, receive: Receive) -> None:
    try:
        arrays.check_fits(receive.array, receive.name, send.array.shape, send.name, send.endpoint.rank,
                          receive.endpoint.rank)
    except ValueError as error:
        send.error = receive.error = str(error)
    for half in (send, receive):
        if half.waiter is not None:
            half.endpoint.kernel.at(half.endpoint.kernel.now, half.waiter)


def seal_of(array: np.ndarray) -> int:
    """A checksum of the bytes; of large arrays, one of 4 KB that every byte has a part in (10 times faster)."""
    if array.nbytes > 65536 and array.nbytes % 8 == 0:
        words = array.reshape(-1).view(np.uint64)
        whole = len(words) // 512 * 512
        folded = np.bitwise_xor.reduce(words[:whole].reshape(-1, 512), axis=0)
        return zlib.crc32(words[whole:], zlib.crc32(folded))
    return zlib.crc32(array)
