"""Tensors between two ranks: a transfer is ready when the send and a matching receive are both posted.

    sender     isend ─────────┐ ready   start ════ end                    its wait() returns at end
    receiver           irecv ─┘           ════ ports held ════ ~~~~ arrive    its wait() returns at arrive
                                          overhead + bytes/bandwidth   latency

start is the first moment, from ready on, at which the sender's outgoing and the receiver's incoming port are both free
(see `lane`). The bytes move once, straight from the sender's memory into the receiver's, as soon as the transfer is
ready and the receiver waits for it: never earlier, so that a program that looks into `out` before wait() is found out.
(When the sender's wait() comes first, they are put aside there.) A seal, a checksum taken at isend and looked at when
the bytes move and in wait(), tells when the sender changed them in between; `send` needs none, its rank stands still.
"""

from __future__ import annotations

import zlib

import numpy as np

from .. import arrays
from ..errors import CommError, user_line
from ..face import Work
from ..tags import label
from ..trace import Event
from .kernel import Alarm, Deadline, Task
from .lane import Lane

TINY_BYTES, SMALL_BYTES = 256, 65536


class Half(Work):
    """What sends and receives share: being waited for until `due_s`, which is None as long as there is no match."""

    __slots__ = ("control", "done", "due_s", "error", "key", "lane", "waiter")

    def is_completed(self) -> bool:
        return self.done or self.error is not None or (
            self.due_s is not None and self.due_s <= self.lane.kernel.now)

    def _block(self, endpoint, timeout_s: float | None) -> None:
        """Park until due or failed; TimeoutError after timeout_s."""
        kernel = endpoint.kernel
        waiter = endpoint.task
        if timeout_s is not None:
            waiter = Alarm(endpoint.task)
            kernel.at(kernel.now + timeout_s, Deadline(waiter))
        if self.due_s is None:
            self.waiter = waiter            # who to put into the queue at due_s, once that is known
        else:
            kernel.at(self.due_s, waiter)
        began_s = kernel.now
        kernel.park(self)
        self.waiter = None
        endpoint.span("wait", began_s)
        if timeout_s is not None and waiter.late:
            raise TimeoutError(f"rank {endpoint.rank}: {self.describe()[0]} took longer than timeout_s={timeout_s:g} "
                               "seconds of virtual time")


class Send(Half):
    """A tensor on its way out."""

    __slots__ = ("array", "arrive_s", "landed", "name", "payload_bytes", "posted_s", "seal", "start_s", "sync", "where")

    def __init__(self, lane: Lane, key: tuple, array: np.ndarray, name: str, payload_bytes: int, posted_s: float,
                 seal: int | bytes | None, sync: bool = False, control: bool = False, where: str = ""):
        self.lane, self.key, self.array, self.name, self.payload_bytes = lane, key, array, name, payload_bytes
        self.posted_s, self.seal, self.sync, self.control, self.where = posted_s, seal, sync, control, where
        self.due_s = self.waiter = self.error = self.start_s = None
        self.done = self.landed = False

    def wait(self, timeout_s: float | None = None) -> None:
        if self.done:
            return
        due_s = self.due_s
        if (due_s is None or due_s > self.lane.kernel.now) and self.error is None:
            self._block(self.lane.sender, timeout_s)
        if self.error is not None:
            raise ValueError(self.error)
        if self.seal is not None and self.broken():
            raise CommError(f"{self.told()} was changed before its wait() ({user_line(1)}); wait first, or send a copy")
        if not self.landed:
            self.array = self.array.copy()
        self.done = True

    def broken(self) -> bool:
        """Whether the bytes are not those of isend."""
        return self.seal != (self.array.tobytes() if self.payload_bytes <= TINY_BYTES else seal_of(self.array))

    def told(self) -> str:
        """Which tensor of whose, for a sentence."""
        return (f"rank {self.lane.sender.rank}: the tensor of isend(dst={self.lane.receiver.rank}, "
                f"tag={label(self.key[1])}){' at ' + self.where if self.where else ''}")

    def describe(self) -> tuple[str, int | None]:
        dst, tag = self.lane.receiver.rank, self.key[1]
        if self.control:
            return _control(tag), dst
        call = f"send(dst={dst}, tag={label(tag)})"
        return (call if self.sync else f"i{call}.wait()"), dst


class Receive(Half):
    """A tensor on its way in, to `out` or to memory of its own."""

    __slots__ = ("array", "blocked", "name", "op", "out", "posted", "send")

    def __init__(self, lane: Lane, key: tuple, out, array: np.ndarray | None, name: str | None, op: str | None,
                 control: bool = False):
        self.lane, self.key, self.out, self.array, self.name = lane, key, out, array, name
        self.op, self.control = op, control
        self.due_s = self.waiter = self.error = self.send = None
        self.done = self.posted = self.blocked = False        # blocked: in a recv of the short way

    def wait(self, timeout_s: float | None = None):
        if self.done:
            return self.out
        receiver = self.lane.receiver
        if not self.posted:
            self.post()
        if self.error is None and (self.due_s is None or self.due_s > receiver.kernel.now):
            if self.due_s is not None and timeout_s is None:
                self.land()
            try:
                self._block(receiver, timeout_s)
            except TimeoutError:
                self._withdraw()
                raise
        if self.error is not None:
            raise ValueError(self.error)
        self.land()
        events = receiver.fabric.events
        if events is not None and not self.control:
            events.append(self.event(receiver.kernel.now))
        self.done, self.send = True, None
        return self.out

    def post(self) -> Receive:
        """Meet a send, or wait for one."""
        self.posted = True
        send = self.lane.meet(self)
        if send is not None:
            begin(send, self)
        return self

    def land(self) -> None:
        """Move the bytes, now that the receiver waits for them."""
        send = self.send
        if send.landed:
            return
        if send.seal is not None and not send.done and send.waiter is None and send.broken():
            raise CommError(f"{send.told()} was changed before its wait(), which had not been called when the bytes "
                            "left; wait first, or send a copy")     # a sender that stands in wait() tells it itself
        if self.out is None:
            self.out = arrays.tensor_of(send.array.copy(), send.name)
        else:
            arrays.land(self.array, send.array, self.op, self.name)
        send.landed = True

    def event(self, received_s: float) -> Event:
        send, (_, tag) = self.send, self.key
        return Event(self.lane.sender.rank, self.lane.receiver.rank, "tensor", str(tag), send.payload_bytes,
                     send.posted_s, send.start_s, send.due_s, send.arrive_s, received_s)

    def describe(self) -> tuple[str, int | None]:
        src, tag = self.lane.sender.rank, self.key[1]
        return (_control(tag) if self.control else f"recv(src={src}, tag={label(tag)})"), src

    def _withdraw(self) -> None:
        """After a time-out: what was to come, or is under way, is for the next receive. Waiting again posts again."""
        self.posted = False
        if self.send is None:
            self.lane.take_back(self)
            return
        send, self.due_s, self.send = self.send, None, None
        other = self.lane.meet(send, first=True)
        if other is not None:
            begin(send, other)


def begin(send: Send, receive: Receive) -> None:
    """Both are there: give the transfer its ports, or tell both sides that they do not fit."""
    if receive.array is not None and (receive.name != send.name or receive.array.shape != send.array.shape):
        _refuse(send, receive)
        return
    lane = send.lane
    kernel = lane.sender.kernel
    if send.start_s is None:            # else it is under way, and the receive it was for has been withdrawn
        send.start_s, send.due_s = lane.take_ports(send.payload_bytes)
        send.arrive_s = send.due_s + lane.latency_s
        if lane.faults is not None:
            send.arrive_s = lane.faults.of_tensor(send.arrive_s)
        if send.waiter is not None:
            kernel.at(send.due_s, send.waiter)
    receive.due_s, receive.send = send.arrive_s, send
    if receive.waiter is not None:
        kernel.at(receive.due_s, receive.waiter)
        if type(receive.waiter) is Task:
            receive.land()


def _refuse(send: Send, receive: Receive) -> None:
    sender, receiver = send.lane.sender, send.lane.receiver
    try:
        arrays.check_fits(receive.array, receive.name, send.array.shape, send.name, sender.rank, receiver.rank)
    except ValueError as error:
        send.error = receive.error = str(error)
    for half in (send, receive):
        if half.waiter is not None:
            sender.kernel.at(sender.kernel.now, half.waiter)


def _control(tag: int) -> str:
    return f"{label(tag)}()"


def seal_of(array: np.ndarray) -> int | bytes:
    """The bytes of tiny arrays, else a checksum of them; of large ones, one of 4 KB that every byte has a part in (10
    times faster)."""
    if array.nbytes <= TINY_BYTES:
        return array.tobytes()
    if array.nbytes > SMALL_BYTES and array.nbytes % 8 == 0:
        words = array.reshape(-1).view(np.uint64)
        whole = len(words) // 512 * 512
        folded = np.bitwise_xor.reduce(words[:whole].reshape(-1, 512), axis=0)
        return zlib.crc32(words[whole:], zlib.crc32(folded))
    return zlib.crc32(array)
