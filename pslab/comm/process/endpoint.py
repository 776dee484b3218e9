"""One rank's end of a world of processes: its tensors (`tensors`), its mail (`letters`), and its waiting for both.

All reading and writing happens inside comm calls, in `progress`: one poll over the sockets of all peers. A wait longer
than PATIENCE_S is put on the notice board with the user's line, so that the caller can tell who waits for whom.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque

from .. import agree, arrays
from ..calls import CallLog
from ..errors import Wait, user_line
from ..face import Endpoint, Link
from ..threads import Threaded
from . import board as notice
from .channel import Channel
from .incoming import Incoming, RecvWork
from .letters import Letters
from .meter import Meter
from .tensors import Tensors

PATIENCE_S = 0.05
NAP_S = 100e-6                # the rest of a wait, in which no poll can sleep
SPIN_S = 60e-6                # a sleeping core takes as long to wake up, which is twice what a short message takes
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ProcessEndpoint(Tensors, Letters, Threaded, Endpoint):
    """What ProcessWorld gives rank `rank`. `socks` has a socket for each peer; `heap` is None without shared memory."""

    def __init__(self, rank: int, world_size: int, socks: dict, heap, heaps: dict, board):
        self.rank, self.world_size, self.heap, self.board = rank, world_size, heap, board
        self.shares_memory = heap is not None
        self.seed = self.epoch = 0
        self.poller = select.poll()
        self.channels: list[Channel | None] = [None] * world_size
        self.by_fd: dict[int, Channel] = {}
        for peer, sock in socks.items():
            channel = self.channels[peer] = Channel(self, peer, sock, heap, heaps)
            self.by_fd[channel.fd] = channel
            self.poller.register(channel.fd, select.POLLIN)
        self.fields = board.row(rank)
        self.tracer = None                        # of a traced run (see `tracer`)
        self.begin(0, 0, None, None)

    def begin(self, epoch: int, seed: int, link: Link | None, on_report) -> None:
        """Forget the run before."""
        self.epoch, self.seed, self.on_report = epoch, seed, on_report
        self.meter, self.run_began_s = Meter(self.rank, self.board, link), 0.0
        if epoch:
            self.fields[notice.BEGAN_US] = int(self.meter.began_s * 1e6)
        if self.tracer is not None:
            self.tracer.close()
            self.tracer = None
        self.posted: dict[tuple, deque[RecvWork]] = {}
        self.unexpected: dict[tuple, deque[Incoming]] = {}
        self.begin_letters()
        self.logs: dict[int, CallLog] = {}
        self.late_error: Exception | None = None
        for channel in self.channels:
            if channel is not None:
                channel.reset()

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
        """Make progress until `waited.done`; TimeoutError after timeout_s.

        Where every rank has a core of its own, a short tensor is first looked for without sleeping. It is no gain for
        long ones, whose bytes take longer than that, nor where the one who should send needs this core.
        """
        since_s = time.monotonic()
        patience_s, marked = PATIENCE_S, False
        if waited.short and self.world_size <= CORES:
            while not waited.done and time.monotonic() - since_s < SPIN_S:
                self.progress(0)
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
                found = agree.inside(self.logs, getattr(waited, "tag", 0))
                wait = agree.wait_in(found, self.rank, waited.call(), waited.peer, spent_s, user_line(2), self._kept())
                self.board.blocked(self.rank, since_s, wait, agree.told(self.logs))
                patience_s, marked = 1.0, True
        if marked:
            self.fields[notice.STATE] = notice.RUNNING

    def check_strand(self, waited) -> None:
        if self.late_error is not None:
            error, self.late_error = self.late_error, None
            raise error
        if waited.peer is not None and self.channels[waited.peer].closed:
            raise self.channels[waited.peer].gone()

    def withdraw(self, work: RecvWork) -> None:
        """A receive that gave up must not take the message that comes later."""
        waiting = self.posted.get((work.src, work.ctx, work.tag))
        if waiting and work in waiting:
            waiting.remove(work)

    def hold_until(self, moment_s: float, since_s: float = 0.0) -> None:
        """On a throttled link bytes come sooner than they would: wait for the modelled moment, serving peers.

        since_s: when, by the meter, the wait for these bytes began; 0: now.
        """
        since_s = since_s or self.meter.now_s()
        while (left_s := moment_s - time.monotonic()) > 0:
            whole_ms = int(left_s * 1000)                # poll rounds up to whole milliseconds: it would come back late
            if not self.progress(whole_ms) and not whole_ms:
                time.sleep(min(left_s, NAP_S))
        self.meter.waited(since_s, moment_s)

    def flush(self) -> None:
        """At the end of a program: let everything out that a peer who still runs may want."""
        since_s = time.monotonic()
        self.give_back()
        while True:
            busy = [c for c in self.channels if c is not None and c.busy
                    and self.board.fields[c.peer, notice.STATE] != notice.DONE]
            if not busy:
                break
            if not self.progress(PATIENCE_S * 1000):
                wait = Wait(self.rank, "finish: a message is still to be taken", busy[0].peer)
                self.board.blocked(self.rank, since_s, wait, agree.told(self.logs))
        self.board.done(self.rank, agree.told(self.logs))

    def watch(self, channel: Channel, writing: bool) -> None:
        if channel.fd in self.by_fd:
            self.poller.modify(channel.fd, select.POLLIN | (select.POLLOUT if writing else 0))

    def forget(self, channel: Channel) -> None:
        self.poller.unregister(channel.fd)
        self.by_fd.pop(channel.fd, None)

    # ---- the rest of the face ---------------------------------------------------------------------------------------

    def now(self) -> float:
        if not self.run_began_s:
            self.run_began_s = self.board.began_s()
        return time.monotonic() - self.run_began_s

    def report(self, value) -> None:
        self.on_report(value)

    def empty(self, shape, name):
        array = arrays.empty(shape, name) if self.heap is None else self.heap.empty(shape, name)
        return arrays.tensor_of(array, name)
