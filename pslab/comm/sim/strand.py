"""Strands on the virtual clock: a second task of the same rank, with the same ports.

    rank 0   program   start ── compute(1) ═════════════════ wait()          T = max(compute, communication)
             strand    └─ send ══ recv ══ send ══ recv ══ end

A strand has lanes of its own, between the ports that its rank has anyway: a message of either line waits until both its
ports are free. It works on copies of its tensors: the result comes into place in wait(), never earlier, so that a
program that looks before is found out; and a seal, taken at the start, tells in wait() when the program changed a
tensor that it had given away.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch

from .. import arrays
from ..errors import CommError, user_line
from ..strand import Handle, Strand, carry_out
from .kernel import Alarm, Deadline
from .transfer import seal_of


class SimHandle(Handle):
    """A handle that knows who waits for it, and what the tensors were."""

    __slots__ = ("copies", "originals", "seals", "waiter")

    def __init__(self, strand, function, tensors, writes, name, where):
        self.originals = [tensor for given in tensors for tensor in _each(given)]
        self.seals = [_seal(tensor) for tensor in self.originals]
        copies = tuple(_copied(given) for given in tensors)
        self.copies = [tensor for given in copies for tensor in _each(given)]
        self.waiter = None
        super().__init__(strand, function, copies, writes, name, where)

    def wait(self, timeout_s: float | None = None):
        result = super().wait(timeout_s)
        originals, self.originals = self.originals, []          # a second wait() finds nothing to do
        for tensor, seal in zip(originals, self.seals, strict=False):
            if _seal(tensor) != seal:
                raise CommError(f"rank {self.strand.task.rank}: a tensor of {self.name}, started in the background at "
                                f"{self.where}, was changed before its wait() ({user_line(1)}); wait first, or give "
                                "it a copy")
        if self.writes:
            for tensor, copy in zip(originals, self.copies, strict=False):
                _write(tensor, copy)
        self.copies = []
        return result

    def describe(self) -> tuple[str, int | None]:
        waits_for = self.strand.task.waits_for
        return f"wait() of {self.name}", None if waits_for is None else waits_for.describe()[1]


class _Idle:
    """What a strand waits for that has nothing to do."""

    def describe(self) -> tuple[str, int | None]:
        return "idle", None


IDLE = _Idle()


class SimStrand(Strand):
    """A strand of the simulator."""

    has_futures = False

    def __init__(self, comm, endpoint):
        super().__init__(comm, endpoint, endpoint.unwaited)
        self.kernel, self.task = endpoint.kernel, self.twin._endpoint.task
        self.idle = False
        self.kernel.branch(self.task, self._live)

    def door(self, endpoint):
        return endpoint.fabric.door(endpoint.rank, self.ctx)

    def handle(self, *fields) -> SimHandle:
        return SimHandle(self, *fields)

    def enqueue(self, handle: SimHandle) -> None:
        self.queue.append(handle)
        if self.idle:
            self.idle = False
            self.kernel.at(self.kernel.now, self.task)

    def wait_for(self, handle: SimHandle, timeout_s: float | None) -> None:
        kernel = self.kernel
        task = waiter = kernel.running
        if timeout_s is not None:
            waiter = Alarm(task)
            kernel.at(kernel.now + timeout_s, Deadline(waiter))
        began_s, handle.waiter = kernel.now, waiter
        kernel.park(handle)
        handle.waiter = None
        task.endpoint.span("wait", began_s)
        if timeout_s is not None and waiter.late:
            raise TimeoutError(f"rank {task.rank}: wait() of {handle.name} took longer than timeout_s={timeout_s:g} "
                               "seconds of virtual time")

    def held(self):
        return nullcontext()

    def _live(self) -> None:
        while True:
            while self.queue:
                handle = self.queue[0]
                carry_out(handle, handle.where)
                self.queue.popleft()
                handle.done = True
                if handle.waiter is not None:
                    self.kernel.at(self.kernel.now, handle.waiter)
            self.idle = True
            self.kernel.park(IDLE)


def _each(given) -> list:
    """The tensors of one argument: one, several, or none."""
    if isinstance(given, (list, tuple)):
        return [tensor for part in given for tensor in _each(part)]
    return [given] if isinstance(given, (torch.Tensor, np.ndarray)) else []


def _copied(given):
    if isinstance(given, (list, tuple)):
        return [_copied(part) for part in given]
    if isinstance(given, torch.Tensor):
        return given.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return np.array(given, order="C") if isinstance(given, np.ndarray) else given


def _row(tensor) -> np.ndarray:
    """Its bytes: the memory itself where it is contiguous."""
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach().resolve_conj().resolve_neg()
    return arrays.view(tensor)[0]


def _seal(tensor) -> int:
    return seal_of(_row(tensor))


def _write(tensor, copy) -> None:
    """As a collective does that works in place: through its memory, where it lies in one row."""
    row = _row(tensor)
    if isinstance(tensor, torch.Tensor):
        if row.__array_interface__["data"][0] == tensor.data_ptr():
            row[...] = _row(copy)
        else:
            with torch.no_grad():
                tensor.copy_(copy)
    else:
        tensor[...] = copy
