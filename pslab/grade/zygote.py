"""The zygote: loads torch, NumPy and pslab.comm once, then forks a keeper for each box. See sandbox.py.

It runs one thread and none of the student's code. Whatever a keeper that was killed leaves behind comes to it
(PR_SET_CHILD_SUBREAPER) and is ended.
"""

from __future__ import annotations

import contextlib
import gc
import json
import linecache
import os
import select
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path

from . import box_child, keeper
from .box_processes import adopt_orphans, children, kill_tree

_ON_THE_STACK = ("box_", "keeper", "zygote")         # whoever formats a stack, as torch.manual_seed does, reads them


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    _preload()
    problem = keeper.unprivileged_problem()
    control.sendall(json.dumps({"problem": problem} if problem else {"ready": os.getpid()}).encode())
    if not problem:
        _serve(control)


def _preload() -> None:
    """What answers use, so that a fork has it at once; never what judges them."""
    import ctypes

    import numpy
    import torch

    from pslab.comm import ProcessWorld, SimWorld  # noqa: F401

    from . import box_pictures, box_ranks  # noqa: F401

    with contextlib.suppress(ImportError):
        import matplotlib.pyplot  # noqa: F401 - a notebook's first cell usually asks for it
    box_pictures.put_aside()
    torch.set_num_threads(1)
    numpy.zeros(1) + torch.zeros(1).numpy()
    getattr(ctypes.pythonapi, "PyThreadState_SetAsyncExc")  # noqa: B009 - looked up here; the guard refuses it later
    box_child.warm_up()
    for file in Path(__file__).parent.glob("*.py"):       # a student's traceback may show our lines without a read
        linecache.getlines(str(file)) if file.stem.startswith(_ON_THE_STACK) else None
    sys.dont_write_bytecode = True
    gc.collect()
    gc.freeze()


def _load(modules: list[str]) -> None:
    """Large modules that an exercise runs on (torch._dynamo takes over a second): once here, not once in each box."""
    missing = [name for name in modules if name not in sys.modules]
    for name in missing:
        with contextlib.suppress(ImportError):            # then the answer meets the same error, and is told
            import_module(name)
    if missing:
        box_child.warm_up()                               # such modules wrap functions of torch: what is untouched now
        gc.collect()
        gc.freeze()


def _serve(control: socket.socket) -> None:
    adopt_orphans()
    wake_read, wake_write = os.pipe()
    for descriptor in (wake_read, wake_write):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake_read, select.POLLIN)
    keepers: set[int] = set()
    number = 0
    while True:
        ready = {descriptor for descriptor, _ in poller.poll()}
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(keepers)
        if control.fileno() in ready:
            request, descriptors, _, _ = socket.recv_fds(control, 65536, 8)
            if not request:
                break
            number, asked = number + 1, json.loads(request)
            _load(asked["preload"])
            pid = os.fork()
            if pid == 0:
                control.close()
                os.close(wake_read)
                os.close(wake_write)
                keeper.keep(asked, list(descriptors), number)
            keepers.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
    for pid in keepers:                                   # each has lost its grader as well, and is on its way out
        os.waitpid(pid, 0)
    kill_tree(os.getpid())


def _reap(keepers: set[int]) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            break
        keepers.discard(pid)
    for stray in set(children(os.getpid())) - keepers:
        kill_tree(stray, itself=True)
