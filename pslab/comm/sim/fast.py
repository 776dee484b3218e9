"""The short way for the commonest case; everything else takes the plain way, and both give the same run.

A ring over 1,024 ranks passes two million messages, each an `isend` of a NumPy array and a `recv` into one. Here that
pair skips the checks, objects and calls that serve the other cases. Read `transfer` first: this is the same, written
flat, and takes less than half the time. A test runs programs both ways and compares.
"""

from __future__ import annotations

from zlib import crc32

from numpy import ndarray

from .. import arrays
from ..face import MAX_TAG, Comm
from .lane import Lane
from .transfer import SMALL_BYTES, Receive, Send, begin, seal_of

_NAME_OF = arrays._NAME_OF_NUMPY
_UFUNC = arrays._UFUNC
_new = object.__new__


class SimComm(Comm):
    """A Comm of the simulator."""

    def __init__(self, endpoint, members=None, ctx: int = 0):
        super().__init__(endpoint, members, ctx)
        self._to: dict[int, Lane] = {}          # by rank of this group, once the plain way has checked it;
        self._from: dict[int, Lane] = {}        # always empty where everything takes the plain way
        self._blocked: Receive | None = None
        self._kernel = endpoint.kernel
        self._short = endpoint.fabric.short_way

    def isend(self, tensor, dst: int, tag: int = 0):
        lane = self._to.get(dst)
        name = _NAME_OF.get(tensor.dtype) if type(tensor) is ndarray else None
        if (lane is None or name is None or not tensor.flags.c_contiguous
                or type(tag) is not int or not 0 <= tag <= MAX_TAG):
            work = super().isend(tensor, dst, tag)
            if self._short:
                self._to[dst] = work.lane
            return work
        kernel = self._kernel
        send = _new(Send)                       # as Send.__init__, without the call
        send.lane, send.array, send.name, send.posted_s = lane, tensor, name, kernel.now
        send.payload_bytes = payload_bytes = tensor.nbytes
        send.seal = crc32(tensor) if payload_bytes <= SMALL_BYTES else seal_of(tensor)
        send.key = key = (self._ctx, tag)
        send.due_s = send.waiter = send.error = send.start_s = None
        send.done = send.landed = send.sync = send.control = False
        send.where = ""
        lane.vals_bytes += payload_bytes
        lane.messages += 1
        waiting = lane.waiting
        there = waiting.get(key)
        if there is None:
            waiting[key] = send
        elif type(there) is Receive and there.blocked and (
                there.array.dtype is tensor.dtype and there.array.shape == tensor.shape):
            del waiting[key]
            self._pass(send, there.array, there.op, kernel, lane)
        else:
            receive = lane.meet(send)
            if receive is not None:
                begin(send, receive)
        return send

    def recv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, timeout_s: float | None = None):
        lane = self._from.get(src)
        name = _NAME_OF.get(out.dtype) if type(out) is ndarray else None
        if (lane is None or name is None or name == "bool" or timeout_s is not None or not out.flags.carray
                or type(tag) is not int or not 0 <= tag <= MAX_TAG or (op is not None and op not in _UFUNC)):
            work = self.irecv(src, tag, out=out, op=op)
            if self._short:
                self._from[src] = work.lane
            return work.wait(timeout_s)
        key = (self._ctx, tag)
        waiting = lane.waiting
        there = waiting.get(key)
        kernel = self._kernel
        if there is None:
            receive = self._blocked or self._new_blocked()
            receive.lane, receive.key, receive.name, receive.op = lane, key, name, op
            receive.array = receive.out = out
            waiting[key] = receive
            kernel.park(receive)
            if receive.due_s is not None or receive.error is not None:      # it went the plain way: not as new
                self._blocked = None
                if receive.error is not None:
                    raise ValueError(receive.error)
        elif type(there) is Send and there.start_s is None and (
                there.array.dtype is out.dtype and there.array.shape == out.shape):
            del waiting[key]
            self._pass(there, out, op, kernel, lane)
            kernel.park(there)
        else:
            Receive(lane, key, out, out, name, op).post().wait()
        return out

    def _new_blocked(self) -> Receive:
        """A rank is blocked in one recv at a time, so one object serves them all."""
        receive = self._blocked = Receive(None, (), None, None, "", None)
        receive.posted = receive.blocked = True
        receive.waiter = self._endpoint.task
        return receive

    @staticmethod
    def _pass(send: Send, out: ndarray, op: str | None, kernel, lane: Lane) -> None:
        """What `begin` does for a receiver that is blocked in recv."""
        send.start_s, send.due_s = lane.take_ports(send.payload_bytes)
        if send.waiter is not None:
            kernel.at(send.due_s, send.waiter)
        kernel.at(send.due_s + lane.latency_s, lane.receiver.task)
        if op is None:
            out[...] = send.array
        else:
            _UFUNC[op](out, send.array, out=out)
        send.landed = True
