"""The life of a rank: wait for a job, run it, answer; until the caller hangs up.

    caller ──job: cloudpickle──> rank          the caller's own function, sent to its own child
    caller <──answer: wire format── rank       result or error as text, reports, never a pickle
"""

from __future__ import annotations

import builtins
import hashlib
import io
import os
import random
import socket
import struct
import sys
import threading
import traceback

import cloudpickle
import numpy as np
import torch

from .. import wire
from ..face import Comm
from ..strand import check_all_waited
from .board import Board
from .endpoint import ProcessEndpoint
from .memory import Heap, PeerHeap
from .tracer import Tracer

JOB = struct.Struct("<4sIQ")               # magic, epoch, length; then the pickled job
ANSWER = struct.Struct("<4scIQ")           # magic, what, epoch, length; then an encoded value
RESULT, ERROR, REPORT = b"R", b"E", b"P"


def live(request: dict, descriptors: list[int]) -> None:
    """Run jobs for ever. `descriptors`: control, stdout, stderr, board, heaps (shm only), a socket for each peer."""
    rank, world_size, shared = request["rank"], request["world_size"], request["shared"]
    control = socket.socket(fileno=descriptors[0])
    _redirect(descriptors[1], descriptors[2])
    if request["pin"]:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    board = Board(descriptors[3], world_size)
    heap_fds = descriptors[4:4 + world_size] if shared else []
    peers = [peer for peer in range(world_size) if peer != rank]
    socks = {peer: socket.socket(fileno=fd) for peer, fd in zip(peers, descriptors[4 + len(heap_fds):], strict=True)}
    heap = Heap(heap_fds[rank], world_size) if shared else None
    heaps = {peer: PeerHeap(fd) for peer, fd in enumerate(heap_fds)}
    endpoint = ProcessEndpoint(rank, world_size, socks, heap, heaps, board)
    if sys.platform != "linux":                          # Linux kills us with the launcher; elsewhere a thread looks
        threading.Thread(target=_leave_with_launcher, args=(request["launcher"],), daemon=True).start()
    while True:
        head = _exactly(control, JOB.size)
        if head is None:
            return
        _, epoch, size = JOB.unpack(head)
        _answer(control, epoch, *_run(endpoint, control, epoch, _exactly(control, size)))


def _run(endpoint: ProcessEndpoint, control: socket.socket, epoch: int, blob) -> tuple[bytes, bytes]:
    """One job: (what, encoded answer)."""
    try:
        job = cloudpickle.loads(blob)
        _adopt(job["surroundings"])                      # first: the program may live in a module of the caller's
        program, args = cloudpickle.loads(job.pop("call"))
        _reseed(f"{job['seed']}/{endpoint.rank}")
        endpoint.begin(epoch, job["seed"], job["link"],
                       lambda value: _answer(control, epoch, REPORT, wire.encode(value)))
        if job["trace"]:
            endpoint.tracer = Tracer(endpoint)
        comm = Comm(endpoint)
        comm.model = job["model"]
        value = program(comm, *args)
        check_all_waited(endpoint.rank, endpoint.unwaited())
        endpoint.end_strands()
        try:
            encoded = wire.encode(value)
        except ValueError as error:
            raise ValueError(f"the result of rank {endpoint.rank} (a {type(value).__name__}) cannot be handed "
                             f"back: {error}") from None
        endpoint.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        return RESULT, wire.encode([encoded, endpoint.tracer.told() if job["trace"] else None])
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt too: the caller must know
        sys.stdout.flush()
        sys.stderr.flush()
        return ERROR, _told(error)


def _told(error: BaseException) -> bytes:
    kind = type(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next                            # the user's part of the traceback, not ours
    text = "".join(traceback.format_exception(kind, error, trace))
    told = {"type": kind.__name__, "module": kind.__module__, "text": str(error), "traceback": text}
    builtin = getattr(builtins, kind.__name__, None) is kind
    args = list(error.args) if builtin else []
    if isinstance(error, OSError) and builtin and error.filename is not None:
        args = [error.errno, error.strerror, error.filename]       # error.args leaves the file out
    try:
        return wire.encode({**told, "args": args})
    except ValueError:                                   # arguments that cannot travel: the text stands for them
        return wire.encode({**told, "args": [str(error)]})


def _answer(control: socket.socket, epoch: int, what: bytes, data: bytes) -> None:
    control.sendall(ANSWER.pack(wire.MAGIC, what, epoch, len(data)))
    control.sendall(data)


def _exactly(sock: socket.socket, size: int) -> bytearray | None:
    """`size` bytes, or None when the caller hung up."""
    data, have = bytearray(size), 0
    with memoryview(data) as view:
        while have < size:
            got = sock.recv_into(view[have:])
            if got == 0:
                return None
            have += got
    return data


def _redirect(out: int, err: int) -> None:
    """Prints go to files that the caller can read, also when this process is killed."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "replace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "replace", line_buffering=True)


def _adopt(surroundings: dict) -> None:
    """The caller's folder, import path and environment, as they are now."""
    if os.getcwd() != surroundings["cwd"]:
        os.chdir(surroundings["cwd"])
    if sys.path != surroundings["path"]:
        sys.path[:] = surroundings["path"]
    if dict(os.environ) != surroundings["environ"]:
        os.environ.clear()
        os.environ.update(surroundings["environ"])
    for descriptor in (1, 2):
        os.lseek(descriptor, 0, os.SEEK_END)


def _reseed(text: str) -> None:
    """Every global generator starts from (seed, rank), so that a warm rank draws what a fresh one would."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _leave_with_launcher(launcher: int) -> None:
    wake = threading.Event()
    while os.getppid() == launcher:
        wake.wait(0.5)
    os._exit(1)
