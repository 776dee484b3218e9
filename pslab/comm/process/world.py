"""ProcessWorld: the same program on real processes of this machine.

    run() ──job──> rank 0 … rank K-1       kept warm between runs; a run that fails is killed, and healed by the next
      │ <──result, error, report──┘
      └── meanwhile: watches for deaths (launcher), for stalls (notice board), for its deadline, for Ctrl-C
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence

import cloudpickle

from ..checks import check_start, check_world_size
from ..face import Link
from ..run import Run
from . import pool
from .board import Board
from .launcher import MAX_FDS
from .memory import anonymous_file
from .rank import JOB
from .sockets import tcp_pair, unix_pair
from .tracer import joined
from .watch import Watch

TRANSPORTS = ("auto", "shm", "tcp")

class ProcessWorld:
    """`world_size` real processes on this machine.

    transport: "shm" (shared memory for bulk bytes, Unix sockets for the rest; Linux), "tcp" (loopback sockets only),
    or "auto" (shm where it works). link: throttles every port to this Link, in real time; None leaves them free.
    seed: of every rank's generators. trace: whether messages are recorded for `run.trace`. pin: rank r stays on core
    r mod cores (Linux): steadier and up to twice as fast on a machine of your own, slower on one that others use.
    """

    MAX_RANKS = 64

    def __init__(self, world_size: int, *, transport: str = "auto", link: Link | None = None, seed: int = 0,
                 trace: bool = False, pin: bool = False):
        check_world_size(world_size, self.MAX_RANKS, f"1 to {self.MAX_RANKS} processes are possible here "
                                                     "(SimWorld runs thousands of ranks)")
        if transport not in TRANSPORTS:
            raise ValueError(f"transport={transport!r}; allowed: {', '.join(TRANSPORTS)}")
        if link is not None and not isinstance(link, Link):
            raise ValueError(f"link={link!r}; a pslab.comm.Link, or None for ports that are not throttled")
        if transport == "shm" and sys.platform != "linux":
            raise ValueError("transport='shm' needs Linux; use transport='tcp' or 'auto'")
        if pin and not hasattr(os, "sched_setaffinity"):
            raise ValueError("pin=True needs Linux, which lets a process choose its core")
        self.world_size, self.transport, self.link, self.seed, self.trace = world_size, transport, link, seed, trace
        self.pin = pin
        self.model = None                   # what pslab.collectives.fit measured; every rank's comm has it
        self._shared = transport == "shm" or (transport == "auto" and sys.platform == "linux")
        self._ranks: Ranks | None = None
        self._epoch = 0
        self._lock = threading.RLock()

    def run(self, program: Callable, *args, per_rank: Sequence[tuple] | None = None, timeout_s: float = 30.0,
            limit_s: float = 3600.0, on_report: Callable | None = None, live: bool = False) -> Run:
        """Run `program(comm, *args)` on every rank, or `program(comm, *per_rank[rank])`.

        Arguments are copied to each rank. timeout_s: seconds without any progress until `Stalled`; limit_s: seconds
        that the whole run may take. live: show prints as they come, else after the run, sorted by rank.
        Raises what a rank raised (with its traceback as a note), RankDied, or Stalled.
        """
        arguments = check_start(program, args, per_rank, self.world_size, timeout_s, limit_s)
        with self._lock:
            # The blobs come first: what cannot be pickled must not cost the warm ranks.
            calls = [_pickled((program, mine)) for mine in (arguments[:1] if per_rank is None else arguments)]
            surroundings = {"cwd": os.getcwd(), "path": list(sys.path), "environ": {**os.environ, **pool.ONE_THREAD}}
            job = {"seed": self.seed, "link": self.link, "trace": self.trace, "surroundings": surroundings,
                   "model": self.model}
            blobs = [_pickled({**job, "call": call}) for call in calls] * (self.world_size if per_rank is None else 1)
            try:
                ranks = self._warm()
                self._epoch += 1
                watch = Watch(ranks, self._epoch, timeout_s, limit_s, on_report, live)
                watch.start(blobs)
                results, notes, seconds = watch.until_done()
            except BaseException:
                self._end()
                raise
        return Run(results, seconds, watch.ledger, joined(self.world_size, notes), watch.prints)

    def warm_up(self) -> None:
        """Start launcher and ranks now, so that the first run finds them warm."""
        with self._lock:
            self._warm()

    def restart(self) -> None:
        """Fresh processes, of a fresh launcher: what to call after editing a module."""
        with self._lock:
            self._end()
            pool.shut_down()

    def close(self) -> None:
        """End this world's processes. A later run would start new ones."""
        with self._lock:
            self._end()

    def __enter__(self) -> ProcessWorld:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __del__(self):
        if getattr(self, "_ranks", None) is not None and not sys.is_finalizing():
            self._end()

    def _warm(self) -> Ranks:
        if self._ranks is not None and not self._ranks.alive():
            self._end()
        if self._ranks is None:
            with pool.uninterrupted():
                self._ranks = Ranks(self.world_size, self._shared, self.pin)
        return self._ranks

    def _end(self) -> None:
        with pool.uninterrupted():
            ranks, self._ranks = self._ranks, None
            if ranks is not None:
                ranks.close()


class Ranks:
    """The processes of one world: their pids, control sockets, output files and notice board."""

    def __init__(self, world_size: int, shared: bool, pin: bool = False):
        if 4 + 2 * world_size > MAX_FDS:
            raise ValueError(f"world_size={world_size} needs too many descriptors")
        self.launcher = pool.current()
        self.pids: list[int] = []
        self.controls: list[socket.socket] = []
        board_fd = anonymous_file("pslab-board")
        self.board = Board(board_fd, world_size)
        self.outputs = [(anonymous_file("pslab-out"), anonymous_file("pslab-err")) for _ in range(world_size)]
        heaps = [anonymous_file("pslab-heap") for _ in range(world_size)] if shared else []
        ends: dict[tuple[int, int], socket.socket] = {}
        try:
            for rank in range(world_size):
                for peer in range(rank + 1, world_size):
                    ends[rank, peer], ends[peer, rank] = unix_pair() if shared else tcp_pair()
                near, far = unix_pair()
                self.controls.append(near)
                mine = [ends.pop((rank, peer)) for peer in range(world_size) if peer != rank]
                request = {"rank": rank, "world_size": world_size, "shared": shared, "pin": pin,
                           "launcher": self.launcher.process.pid}
                self.pids.append(self.launcher.spawn(request, [
                    far.fileno(), *self.outputs[rank], board_fd, *heaps, *(end.fileno() for end in mine)]))
                for end in (far, *mine):
                    end.close()
        except BaseException:
            self.close()
            raise
        finally:
            for end in ends.values():
                end.close()
            for descriptor in (board_fd, *heaps):
                os.close(descriptor)

    def alive(self) -> bool:
        return self.launcher.alive() and all(
            self.launcher.death(pid) is None and not self.launcher.stopped(pid) for pid in self.pids)

    def close(self) -> None:
        for control in self.controls:
            control.close()
        try:
            if self.launcher.alive():
                self.launcher.kill(self.pids)
        finally:
            for descriptor in (fd for pair in self.outputs for fd in pair):
                os.close(descriptor)
            self.outputs, self.controls = [], []

    def start(self, rank: int, epoch: int, blob: bytes) -> None:
        control = self.controls[rank]
        control.setblocking(True)
        control.settimeout(30.0)
        control.sendall(JOB.pack(b"PSL1", epoch, len(blob)))
        control.sendall(blob)
        control.setblocking(False)


def _pickled(job) -> bytes:
    try:
        return cloudpickle.dumps(job)
    except Exception as error:
        raise ValueError(f"program or arguments cannot be copied to the ranks: "
                         f"{type(error).__name__}: {error}") from error

