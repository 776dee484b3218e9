"""The short way for the commonest case; everything else takes the plain way, and both give the same run.

A ring over 1,024 ranks passes two million messages, each an `isend` of a NumPy array and a `recv` into one. Here that
pair skips the checks and objects that serve the other cases. Read `transfer` first: this is the same, written flat.
"""

from __future__ import annotations

import numpy as np

from .. import arrays
from ..face import MAX_TAG, Comm
from .lane import Lane
from .transfer import Receive, Send, begin, seal_of

_NAME_OF = arrays._NAME_OF_NUMPY
_UFUNC = {**arrays._UFUNC, None: None}


class SimComm(Comm):
    """A Comm of the simulator."""

    def __init__(self, endpoint, members=None, ctx: int = 0):
        super().__init__(endpoint, members, ctx)
        self._to: dict[int, Lane] = {}          # by rank of this group, once the plain way has checked it
        self._from: dict[int, Lane] = {}
        self._quiet = endpoint.fabric.events is None

    def isend(self, tensor, dst: int, tag: int = 0):
        lane = self._to.get(dst)
        if (lane is None or type(tensor) is not np.ndarray or tensor.dtype not in _NAME_OF
                or not tensor.flags.c_contiguous or type(tag) is not int or not 0 <= tag <= MAX_TAG):
            work = super().isend(tensor, dst, tag)
            if self._quiet:
                self._to[dst] = work.lane
            return work
        payload_bytes = tensor.nbytes
        lane.vals_bytes += payload_bytes
        lane.messages += 1
        key = (self._ctx, tag)
        send = Send(lane, key, tensor, _NAME_OF[tensor.dtype], payload_bytes, lane.sender.kernel.now, seal_of(tensor))
        if key not in lane.waiting:
            lane.waiting[key] = send
            return send
        receive = lane.meet(send)
        if receive is not None:
            begin(send, receive)
        return send

    def recv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, timeout_s: float | None = None):
        lane = self._from.get(src)
        if (lane is None or timeout_s is not None or type(out) is not np.ndarray or out.dtype not in _NAME_OF
                or not out.flags.carray or type(tag) is not int or not 0 <= tag <= MAX_TAG or op not in _UFUNC):
            work = self.irecv(src, tag, out=out, op=op)
            if self._quiet:
                self._from[src] = work.lane
            return work.wait(timeout_s)
        key = (self._ctx, tag)
        there = lane.waiting.get(key)
        receiver = lane.receiver
        kernel = receiver.kernel
        if type(there) is not Send or there.start_s is not None or (
                there.array.dtype is not out.dtype or there.array.shape != out.shape):
            receive = Receive(lane, key, out, out, _NAME_OF[out.dtype], op)
            if there is None:
                receive.posted = True
                receive.waiter = receiver.task
                lane.waiting[key] = receive
                kernel.park(receive)
                receive.waiter = None
                if receive.error is None:
                    return out
            else:
                receive.post()
            return receive.wait()
        del lane.waiting[key]
        there.start_s, there.due_s = lane.take_ports(there.payload_bytes)
        there.arrive_s = there.due_s + lane.latency_s
        if there.waiter is not None:
            kernel.at(there.due_s, there.waiter)
        kernel.at(there.arrive_s, receiver.task)
        if op is None:
            out[...] = there.array
        else:
            _UFUNC[op](out, there.array, out)
        there.landed = True
        kernel.park(there)
        return out
