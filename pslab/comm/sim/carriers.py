"""What a rank runs on, so that it can stop in the middle of a call and go on later.

    threads      rank 0 ──release baton 1──> rank 1 ──release baton 2──> rank 2      any program, 64 ranks
    greenlets    rank 0 ──────switch───────> rank 1 ──────switch───────> rank 2      20 times faster, one thread

Both give exactly one rank its turn. A thread has its own grad mode and autocast; greenlets share those of the caller's
thread, so there a rank may not stop while it has changed them.
"""

from __future__ import annotations

import ctypes
import sys
import threading

import torch
from greenlet import greenlet

from .kernel import Kernel, Task, Unwind


class Threads:
    """A thread a rank, started at its first turn. A baton is a lock that is released to hand over the turn."""

    def prepare(self, kernel: Kernel, bodies: dict) -> None:
        self._bodies = bodies
        kernel.main.carrier = _Baton()

    def may_stop(self, me: Task) -> None:
        """Always: a thread keeps its own modes."""

    def switch(self, kernel: Kernel, me: Task, turn: Task) -> None:
        kernel.running = turn
        if turn.carrier is None:
            turn.carrier = _Baton()
            turn.carrier.thread = threading.Thread(target=self._carry, args=(kernel, turn), daemon=True,
                                                   name=f"rank {turn.rank}")
            turn.carrier.thread.start()
        else:
            turn.carrier.lock.release()
        me.carrier.lock.acquire()
        if kernel.ending and me is not kernel.main:
            raise Unwind

    def _carry(self, kernel: Kernel, task: Task) -> None:
        try:
            self._bodies[task]()
        finally:
            kernel.running = kernel.main
            kernel.main.carrier.lock.release()

    def unwind(self, kernel: Kernel) -> None:
        main = kernel.main
        if kernel.running is not main:          # the caller was interrupted while a rank had its turn
            raise_in(kernel.running.carrier.thread.ident, Unwind)
            main.carrier.lock.acquire()
        for task in kernel.tasks:
            if task.carrier is not None:
                while not task.ended:
                    kernel.running = task
                    task.carrier.lock.release()
                    main.carrier.lock.acquire()
                task.carrier.thread.join()

    def frame(self, task: Task):
        return sys._current_frames().get(task.carrier.thread.ident) if task.carrier else None

    def ident(self, task: Task) -> int | None:
        return task.carrier.thread.ident if task.carrier else None


class _Baton:
    __slots__ = ("lock", "thread")

    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()
        self.thread = None


class Greenlets:
    """All ranks on the caller's thread, each with its own stack of calls."""

    def prepare(self, kernel: Kernel, bodies: dict) -> None:
        self._thread = threading.get_ident()
        kernel.main.carrier = greenlet.getcurrent()
        for task, body in bodies.items():
            task.carrier = greenlet(self._carry)
            task.carrier.switch(kernel.main.carrier, body)

    def _carry(self, main: greenlet, body) -> None:
        """Begins in the caller, and not in another rank, because a greenlet inherits its starter's depth of calls."""
        try:
            main.switch()
        except Unwind:
            return
        body()

    def may_stop(self, me: Task) -> None:
        if not _grad_enabled() or _any_autocast():
            refuse_modes(me)

    def switch(self, kernel: Kernel, me: Task, turn: Task) -> None:
        kernel.running = turn
        turn.carrier.switch()
        if me is kernel.main:
            kernel.running = me

    def unwind(self, kernel: Kernel) -> None:
        for task in kernel.tasks:
            while task.carrier:                 # true while it has begun and not ended
                kernel.running = task
                task.carrier.throw(Unwind)
        kernel.running = kernel.main

    def frame(self, task: Task):
        return task.carrier.gr_frame if task.carrier else None

    def ident(self, task: Task) -> int | None:
        return self._thread


_grad_enabled = torch.is_grad_enabled
_any_autocast = torch._C._is_any_autocast_enabled


def refuse_modes(task: Task) -> None:
    what = "autocast" if _any_autocast() else "a changed grad mode (torch.no_grad or inference_mode)"
    raise RuntimeError(f"rank {task.rank} waits in a comm call under {what}, which the other ranks on this thread "
                       "would inherit; leave it before the call, or use SimWorld(..., engine='threads')")


def raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """Raise in another thread, as soon as it runs Python code; None takes back what is not raised yet."""
    kind = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)
