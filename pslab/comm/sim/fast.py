"""The short way for the commonest case; everything else takes the plain way, and both give the same run.

A ring over 1,024 ranks passes two million messages, each an `isend` of a NumPy array and a `recv` into one. Here that
pair skips the checks, objects and calls that serve the other cases. Read `transfer` first: this is the same, written
flat, and takes about half the time. A test runs programs both ways and compares.
"""

from __future__ import annotations

from math import nan

from numpy import add, ndarray

from .. import arrays
from ..face import Comm, _tag
from .lane import Lane
from .transfer import TINY_BYTES, Receive, Send, begin, seal_of

_NAME_OF = arrays._NAME_OF_NUMPY
_UFUNC = arrays._UFUNC
_new = object.__new__


class SimComm(Comm):
    """A Comm of the simulator. What every message looks at is in slots: side by side, in few cache lines."""

    __slots__ = ("_blocked", "_dst", "_from", "_kernel", "_key", "_short", "_src", "_tag", "_task", "_to")

    def __init__(self, endpoint, members=None, ctx: int = 0):
        super().__init__(endpoint, members, ctx)
        self._dst = self._src = nan                 # the last peers, which the plain way has checked, and their lanes
        self._tag, self._key = nan, ()              # the last tag
        self._to: Lane | None = None
        self._from: Lane | None = None
        self._blocked: Receive | None = None
        self._kernel, self._task = endpoint.kernel, endpoint.task
        self._short = endpoint.fabric.short_way

    def isend(self, tensor, dst: int, tag: int = 0):
        name = _NAME_OF.get(tensor.dtype) if type(tensor) is ndarray else None
        if dst != self._dst or name is None or not tensor.flags.c_contiguous:
            work = super().isend(tensor, dst, tag)
            if self._short and type(work.lane) is Lane:         # between racks: always the plain way
                self._dst, self._to = dst, work.lane
            return work
        lane, kernel = self._to, self._kernel
        send = _new(Send)                           # as Send.__init__, without the call
        send.lane, send.array, send.name, send.posted_s = lane, tensor, name, kernel.now
        send.payload_bytes = payload_bytes = tensor.nbytes
        send.seal = tensor.tobytes() if payload_bytes <= TINY_BYTES else seal_of(tensor)
        send.key = key = self._key if tag == self._tag else self._new_key(tag)
        send.due_s = send.waiter = send.error = send.start_s = None
        send.done = send.landed = send.sync = send.control = False
        send.where = ""
        lane.vals_bytes += payload_bytes
        lane.messages += 1
        half = lane.half
        if half is None and not lane.waiting:
            lane.half = send                        # as meet: the first of the two is here
            return send
        if type(half) is Receive and half.blocked and half.key == key and (
                half.name == name and half.array.shape == tensor.shape):
            lane.half = None                        # as begin: ports, bytes, and the receiver into the queue
            source, target, start_s = lane.source, lane.target, kernel.now
            if start_s < source.out_free_s:
                start_s = source.out_free_s
            if start_s < target.in_free_s:
                start_s = target.in_free_s
            source.out_free_s = target.in_free_s = send.due_s = end_s = start_s + (
                lane.overhead_s + payload_bytes / lane.bandwidth_Bps)
            kernel.at(end_s + lane.latency_s, half.waiter)
            if half.op is None:
                half.array[...] = tensor
            elif half.op == "sum":
                add(half.array, tensor, half.array)             # the place of `out` takes a seventh less than its name
            else:
                _UFUNC[half.op](half.array, tensor, out=half.array)
            send.landed = True
            return send
        receive = lane.meet(send)
        if receive is not None:
            begin(send, receive)
        return send

    def recv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, plus=None,
             timeout_s: float | None = None):
        name = _NAME_OF.get(out.dtype) if type(out) is ndarray else None
        if (src != self._src or name is None or name == "bool" or timeout_s is not None or not out.flags.carray
                or plus is not None or (op is not None and op not in _UFUNC)):
            work = self.irecv(src, tag, out=out, op=op, plus=plus)
            if self._short and type(work.lane) is Lane:
                self._src, self._from = src, work.lane
            return work.wait(timeout_s)
        lane, kernel = self._from, self._kernel
        key = self._key if tag == self._tag else self._new_key(tag)
        half = lane.half
        if type(half) is Send and half.key == key and half.start_s is None and (
                half.name == name and half.array.shape == out.shape and (half.waiter is not None or not half.broken())):
            lane.half = None                        # as begin, with take_ports written into it
            source, target, start_s = lane.source, lane.target, kernel.now
            if start_s < source.out_free_s:
                start_s = source.out_free_s
            if start_s < target.in_free_s:
                start_s = target.in_free_s
            half.start_s = start_s
            source.out_free_s = target.in_free_s = half.due_s = end_s = start_s + (
                lane.overhead_s + half.payload_bytes / lane.bandwidth_Bps)
            if half.waiter is not None:
                kernel.at(end_s, half.waiter)
            arrive_s = end_s + lane.latency_s
            if arrive_s == kernel.latest_s:
                kernel.latest.append(self._task)    # as at
            else:
                kernel.at(arrive_s, self._task)
            if op is None:
                out[...] = half.array
            elif op == "sum":
                add(out, half.array, out)
            else:
                _UFUNC[op](out, half.array, out=out)
            half.landed = True
            kernel.park(half)
            return out
        if half is not None or lane.waiting:
            return Receive(lane, key, out, out, name, op).post().wait()
        receive = lane.half = self._blocked or self._new_blocked()
        receive.lane, receive.key, receive.name, receive.op = lane, key, name, op
        receive.array = receive.out = out
        kernel.park(receive)
        if receive.due_s is not None or receive.error is not None:      # it went the plain way, and is not as new
            self._blocked = None
            if receive.error is not None:
                raise ValueError(receive.error)
        return out

    def _new_key(self, tag: int) -> tuple:
        self._key = self._ctx, _tag(tag)
        self._tag = tag
        return self._key

    def _new_blocked(self) -> Receive:
        """A rank is blocked in one recv at a time, so one object serves them all."""
        receive = self._blocked = Receive(None, (), None, None, "", None)
        receive.posted = receive.blocked = True
        receive.waiter = self._task
        return receive
