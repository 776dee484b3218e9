"""What a rank runs on, so that it can stop in the middle of a call and go on later.

    threads      rank 0 ──release baton 1──> rank 1 ──release baton 2──> rank 2      any program, up to 64 ranks
    greenlets    rank 0 ──────switch───────> rank 1 ──────switch───────> rank 2      ten times faster, one thread

Both give exactly one rank its turn. A thread has its own grad mode, autocast and random generators. Greenlets share
those of the caller's thread: no rank may stop while it has changed the modes, or inside a backward pass, and a
program that draws from the global generators, and not from comm.rng, draws from one that all ranks share.
"""

from __future__ import annotations

import ctypes
import sys
import threading

import torch
from greenlet import greenlet

from .kernel import Kernel, Task, Unwind
from .state import Generators


class ThreadKernel(Kernel):
    """A thread a rank, started at its first turn. Its baton is a lock, released to hand over the turn."""

    def __init__(self, seed: int):
        super().__init__()
        self._generators = Generators(seed)

    def prepare(self, bodies: dict) -> None:
        self._bodies = bodies
        self.main.carrier = _Baton()
        self._generators.leave(self.main)

    def add(self, task: Task, body) -> None:
        self._bodies[task] = body

    def check(self, me: Task) -> None:
        """A thread keeps its own modes, so its rank may stop at any time."""

    def switch(self, me: Task, turn: Task) -> None:
        self._generators.leave(me)
        self.running = turn
        if turn.carrier is None:
            turn.carrier = _Baton(threading.Thread(target=self._carry, args=(turn,), daemon=True,
                                                   name=f"rank {turn.rank}"))
            turn.carrier.thread.start()
        else:
            turn.carrier.lock.release()
        self._wait(me)
        if self.ending and me is not self.main:
            raise Unwind

    def unwind(self) -> None:
        if self.running is not self.main:       # the caller was interrupted while a rank had its turn
            raise_in(self.running.carrier.thread.ident, Unwind)
            self._wait(self.main)
        self._generators.enter(self.main)
        for task in [*self.tasks, *self.strands]:
            if task.carrier is not None:
                if not task.ended:
                    self.switch(self.main, task)
                task.carrier.thread.join()

    def frame(self, task: Task):
        return sys._current_frames().get(task.carrier.thread.ident) if task.carrier else None

    def thread_of(self, task: Task) -> int | None:
        return task.carrier.thread.ident if task.carrier else None

    def _wait(self, me: Task) -> None:
        while not me.carrier.lock.acquire(timeout=0.5):     # an interrupt that another thread has seen waits for this
            pass
        self._generators.enter(me)

    def _carry(self, task: Task) -> None:
        self._generators.enter(task)
        try:
            self._bodies[task]()
        finally:
            self.running = self.main
            self.main.carrier.lock.release()


class _Baton:
    def __init__(self, thread: threading.Thread | None = None):
        self.lock, self.thread = threading.Lock(), thread
        self.lock.acquire()


class GreenletKernel(Kernel):
    """All ranks on the caller's thread, each with its own stack of calls."""

    def __init__(self, seed: int):
        super().__init__()
        self._generators = Generators(seed)

    def prepare(self, bodies: dict) -> None:
        self._generators.leave(self.main)
        self._generators.enter(Task(0))
        self._thread = threading.get_ident()
        self.main.carrier = greenlet.getcurrent()
        for task, body in bodies.items():
            self._make(task, body)

    def add(self, task: Task, body) -> None:
        self.in_caller(lambda: self._make(task, body))

    def _make(self, task: Task, body) -> None:
        task.carrier = greenlet(self._carry)
        task.carrier.switch(body)

    def check(self, me: Task) -> None:
        if not _grad_enabled() or _any_autocast():
            _refuse_modes(me)

    def switch(self, me: Task, turn: Task) -> None:
        self.running = turn
        turn.carrier.switch()

    def park(self, waits_for) -> None:
        # As Kernel.park, with pick and switch written into it: a third off the time that a change of ranks takes.
        if self.ending:
            raise Unwind
        me = self.running
        if not _grad_enabled() or _any_autocast():
            _refuse_modes(me)
        me.waits_for = waits_for
        me.since_s = self.now
        for turn in self._due:
            if type(turn) is not Task:
                turn = turn.fire()
                if turn is None:
                    continue
            self.ticks += 1
            break
        else:
            turn = self.pick()
        if turn is not me:
            self.running = turn
            turn.carrier.switch()

    def unwind(self) -> None:
        for task in [*self.tasks, *self.strands]:
            while task.carrier:                 # true while it has begun and not ended
                self.running = task
                task.carrier.throw(Unwind)
        self.running = self.main
        self._generators.enter(self.main)

    def frame(self, task: Task):
        return task.carrier.gr_frame if task.carrier else None

    def thread_of(self, task: Task) -> int | None:
        return self._thread

    def _carry(self, body) -> None:
        """Begins in the caller, and not in another rank, because a greenlet inherits its starter's depth of calls."""
        try:
            self.main.carrier.switch()
        except Unwind:
            return
        body()
        self.running = self.main


_grad_enabled = torch.is_grad_enabled
_any_autocast = torch._C._is_any_autocast_enabled


def _refuse_modes(task: Task) -> None:
    what = ("inside a backward pass" if torch._C._current_graph_task_id() != -1 else       # where grad mode is off, too
            "under autocast" if _any_autocast() else "under a changed grad mode (torch.no_grad or inference_mode)")
    raise RuntimeError(f"rank {task.rank} waits in a comm call {what}, which greenlets cannot keep apart; "
                       "leave it before the call, or use SimWorld(..., engine='threads')")


def raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """Raise in another thread, as soon as it runs Python code; None takes back what is not raised yet."""
    kind = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)
