"""The short way for the commonest case; everything else takes the plain way, and both give the same run.

A ring over 1,024 ranks passes two million messages, each an `isend` of a NumPy array and a `recv` into one. Here that
pair skips the objects and calls that serve the other cases. Read `transfer` first: this is the same, written flat.
"""

from __future__ import annotations

import numpy as np

from .. import arrays
from ..face import MAX_TAG, Comm
from .carriers import refuse_modes
from .kernel import Kernel, Task, Unwind
from .transfer import Send

_NAME_OF = arrays._NAME_OF_NUMPY
_UFUNC = arrays._UFUNC


class SimComm(Comm):
    """A Comm of the simulator."""

    def __init__(self, endpoint, members=None, ctx: int = 0):
        super().__init__(endpoint, members, ctx)
        self._others = {group: world for group, world in enumerate(self.members) if group != self.rank}

    def isend(self, tensor, dst: int, tag: int = 0):
        if type(tensor) is np.ndarray and type(tag) is int and 0 <= tag <= MAX_TAG and tensor.flags.c_contiguous:
            world, name = self._others.get(dst), _NAME_OF.get(tensor.dtype)
            if world is not None and name is not None:
                return self._endpoint.isend(tensor, name, world, self._ctx, tag, False, False)
        return super().isend(tensor, dst, tag)

    def recv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, timeout_s: float | None = None):
        endpoint = self._endpoint
        if endpoint.short_way and type(out) is np.ndarray and timeout_s is None:
            key = (self._others.get(src), self._ctx, tag)
            send = endpoint.inbox.get(key)
            if (type(send) is Send and send.array.dtype is out.dtype and send.array.shape == out.shape
                    and out.flags.carray):
                kernel, sender, link = endpoint.kernel, send.endpoint, endpoint.fabric.link
                if op is None:
                    out[...] = send.array
                else:
                    _UFUNC[op](out, send.array, out)
                del endpoint.inbox[key]
                start_s = kernel.now
                if sender.out_free_s > start_s:
                    start_s = sender.out_free_s
                if endpoint.in_free_s > start_s:
                    start_s = endpoint.in_free_s
                end_s = start_s + (link.overhead_s + send.payload_bytes / link.bandwidth_Bps)
                sender.out_free_s = endpoint.in_free_s = send.due_s = end_s
                if send.waiter is not None:
                    kernel.at(end_s, send.waiter)
                kernel.at(end_s + link.latency_s, endpoint.task)
                kernel.park(send)
                return out
        return self.irecv(src, tag, out=out, op=op).wait(timeout_s)
