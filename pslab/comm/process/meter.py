"""What a rank's traffic costs and leaves behind: bytes in the ledger, throttled ports.

A throttled link is the simulator's port model in real time. The sender stamps a message with the moment at which its
own outgoing port is free; the receiver, whose clock is the same on this machine, lets its incoming port begin when that
is so, the receive is posted and the port itself is free, and delivers late what the fast road brought early.

    modelled    ──── s ────┤ D ──── s ────┤ D'             D: deliver; s: a message holds the port
    this rank   ············├──┤ wakes up late by `lag`, and sends on as if it were D: the link is late, not the rank

Where a machine has more ranks than cores, whoever waits for D goes on somewhat later. That is an accident of playing a
link, so it is made up for: what follows is stamped by a clock that is as much behind. A barrier ends it.
"""

from __future__ import annotations

import threading
import time

from .. import wire
from ..face import Link
from ..ledger import KINDS
from .board import Board

VALS, KEYS, HEADERS, RETRIES = (KINDS.index(kind) for kind in ("vals", "keys", "header", "retry"))


class _Lag(threading.local):
    """Seconds by which a thread is behind the moment it waited for; each thread waits for its own."""

    seconds = 0.0


class Meter:
    """One rank's meter for one run. `link` None: ports are free."""

    def __init__(self, rank: int, board: Board, link: Link | None):
        self.rank, self.link = rank, link
        self.out_free_s = self.in_free_s = 0.0
        self._lag = _Lag()
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
        if self.link is None:
            return time.monotonic(), 0.0
        start_s = max(self.now_s(), self.out_free_s)
        self.out_free_s = start_s + self.link.port_s(size)
        return start_s, self.out_free_s

    def enter(self, header: wire.Header, posted_s: float = 0.0) -> float:
        """The moment at which a message may be delivered, of a receive posted at posted_s; 0 when ports are free."""
        if self.link is None or header.flags & wire.CONTROL:
            return 0.0
        size = header.payload_bytes + (header.tag if header.kind == wire.MAIL else 0)     # a letter's own pages count
        self.in_free_s = max(header.stamp_s, posted_s, self.in_free_s) + self.link.port_s(size)
        return self.in_free_s + self.link.latency_s

    def now_s(self) -> float:
        """The moment that it is for this thread on its throttled links."""
        return time.monotonic() - self._lag.seconds

    def waited(self, since_s: float, moment_s: float) -> None:
        """A wait from since_s on for a modelled moment is over: however late it is now, the link was not later."""
        self._lag.seconds = max(time.monotonic() - max(since_s, moment_s), 0.0)

    def start_anew(self) -> None:
        """A barrier: ranks meet in real time, and nobody is behind."""
        self._lag.seconds = 0.0
