"""What a rank's traffic costs and leaves behind: bytes in the ledger, throttled ports.

A throttled link is the simulator's port model in real time. The sender stamps a message with the moment at which its
own outgoing port is free; the receiver, whose clock is the same on this machine, lets its incoming port begin then or
when it is free itself, and delivers late what the fast road brought early.
"""

from __future__ import annotations

import time

from .. import wire
from ..face import Link
from ..ledger import KINDS
from .board import Board

VALS, KEYS, HEADERS, RETRIES = (KINDS.index(kind) for kind in ("vals", "keys", "header", "retry"))


class Meter:
    """One rank's meter for one run. `link` None: ports are free."""

    def __init__(self, rank: int, board: Board, link: Link | None):
        self.rank, self.link = rank, link
        self.out_free_s = self.in_free_s = 0.0
        self.began_s = time.monotonic()
        self._counts = memoryview(board.counts[rank].reshape(-1))       # 40 ns a count; NumPy's indexing takes 200
        self._sent = memoryview(board.sent[rank])
        self._tensors_out = memoryview(board.tensors_out[rank])
        self._tensors_in = board.tensors_in

    def tensor_out(self, dst: int, size: int) -> None:
        self._counts[dst * len(KINDS) + VALS] += size
        self._sent[dst] += 1
        self._tensors_out[dst] += 1

    def tensor_in(self, src: int) -> None:
        self._tensors_in[src, self.rank] += 1

    def mail_out(self, dst: int, vals: int, keys: int, header: int, retry: bool = False) -> None:
        at = dst * len(KINDS)
        if retry:
            self._counts[at + RETRIES] += vals + keys + header
        else:
            self._counts[at + VALS] += vals
            self._counts[at + KEYS] += keys
            self._counts[at + HEADERS] += header
        self._sent[dst] += 1

    def leave(self, size: int) -> tuple[float, float]:
        """(moment at which a message begins to hold the outgoing port, moment at which it has left; 0 when free)."""
        now_s = time.monotonic()
        if self.link is None:
            return now_s, 0.0
        start_s = max(now_s, self.out_free_s)
        self.out_free_s = start_s + self.link.port_s(size)
        return start_s, self.out_free_s

    def enter(self, header: wire.Header) -> float:
        """The moment at which a message may be delivered; 0 when ports are free."""
        if self.link is None or header.flags & wire.CONTROL:
            return 0.0
        size = header.payload_bytes + (header.tag if header.kind == wire.MAIL else 0)     # a letter's own pages count
        self.in_free_s = max(header.stamp_s, self.in_free_s) + self.link.port_s(size)
        return self.in_free_s + self.link.latency_s
