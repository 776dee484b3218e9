"""A strand: a second line of execution of the same rank, on which collectives travel while the program goes on.

    program   ── start A ── start B ── compute ………………………… A.wait() ── B.wait() ──
                    │         │                               │          │
    strand          └── A ──────────── B ───────────          done       done        one after the other, as started

`Comm.background` starts a function on the strand of its group and returns a `Handle`. The strand has a `Comm` of its
own, the twin, with the same ranks and a context of its own: messages of the two lines never meet, so the program may go
on with whatever it likes, blocking collectives included. What a strand does is done in the order of the starts, which
must therefore be the same on all ranks, as on a NCCL stream. What lines share are the ports of the rank.

How a world runs two lines at once is its own affair: `sim.strand` has a second task on the virtual clock, `threads` a
thread, for the worlds of real processes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from .errors import CommError, user_line
from .face import Work, _derived


class Handle(Work):
    """What `Comm.background` returns: one function on its way."""

    __slots__ = ("done", "error", "function", "future", "model", "name", "result", "strand", "tensors", "where",
                 "writes")

    def __init__(self, strand: Strand, function: Callable, tensors: tuple, writes: bool, name: str, where: str):
        self.strand, self.function, self.tensors, self.writes, self.name, self.where = (
            strand, function, tensors, writes, name, where)
        self.model = strand.comm.model               # as it is now: `auto` must choose alike whenever a rank begins
        self.done = False
        self.result = self.future = None
        self.error: BaseException | None = None

    def is_completed(self) -> bool:
        """Whether it has ended, well or not; its `wait` would return or raise at once."""
        return self.done

    def wait(self, timeout_s: float | None = None):
        """Block until it has ended; what the function returned. Raises what it raised, or TimeoutError after timeout_s,
        after which it may be waited for again."""
        if not self.done:
            self.strand.wait_for(self, timeout_s)
        self.strand.unwaited.pop(self, None)
        if self.error is not None:
            raise self.error
        return self.result

    def get_future(self):
        """A torch.futures.Future of the result (or the error): whoever takes it need not call `wait`."""
        import torch

        if not self.strand.has_futures:
            raise ValueError("a torch future would wait in real time, which the simulator's clock cannot see; use "
                             "wait()")
        with self.strand.held():
            if self.future is None:
                self.strand.unwaited.pop(self, None)
                self.future = torch.futures.Future()
                if self.done:
                    self.tell_future()
        return self.future

    def tell_future(self) -> None:
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)

    def __repr__(self) -> str:
        return f"Handle({self.name}, {'done' if self.done else 'under way'})"


class Strand(ABC):
    """One group's strand on one rank. `unwaited` is shared by all strands of the rank."""

    has_futures = True

    def __init__(self, comm, endpoint, unwaited: dict):
        self.ctx = strand_ctx(comm._ctx)
        self.twin = type(comm)(self.door(endpoint), comm.members, self.ctx)
        self.comm, self.twin.device = comm, comm.device
        self.unwaited = unwaited
        self.queue: deque[Handle] = deque()
        self.broken: Handle | None = None            # the first that failed: what was started later fails too

    def door(self, endpoint):
        """The endpoint of the twin."""
        return endpoint

    def start(self, call: Callable, tensors: tuple, writes: bool, name: str) -> Handle:
        handle = self.handle(call, tensors, writes, name, user_line(2))
        self.unwaited[handle] = None
        self.enqueue(handle)
        return handle

    def handle(self, *fields) -> Handle:
        return Handle(self, *fields)

    @abstractmethod
    def enqueue(self, handle: Handle) -> None:
        """Put it at the end of the queue and see to it that the strand goes on."""

    @abstractmethod
    def wait_for(self, handle: Handle, timeout_s: float | None) -> None:
        """Return when `handle.done`; TimeoutError after timeout_s."""

    @abstractmethod
    def held(self):
        """A context in which no handle ends."""


def carry_out(handle: Handle, where: str) -> None:
    """Run a handle's function on the strand. `where` is looked for by `errors.frame_line`, from this frame's locals:
    a strand has no line of the user's own, so it is known by the line that started it."""
    strand = handle.strand
    if strand.broken is not None:
        first = strand.broken
        handle.error = CommError(f"{handle.name}, started at {where}, was not begun: {first.name}, which was started "
                                 f"before it at {first.where}, failed: {first.error}")
        return
    strand.twin.model = handle.model
    try:
        handle.result = handle.function(strand.twin, *handle.tensors)
    except Exception as error:  # noqa: BLE001 - raised again in wait(), on the line that wants the result
        error.add_note(f"in the background: {handle.name}, started at {where}")
        handle.error, strand.broken = error, handle


def check_all_waited(rank: int, unwaited: dict) -> None:
    """At the end of a program: CommError where a handle was never waited for."""
    if not unwaited:
        return
    listed = "; ".join(f"{handle.name}, started at {handle.where}" for handle in list(unwaited)[:3])
    more = f" and {len(unwaited) - 3} more" if len(unwaited) > 3 else ""
    first = next((handle.error for handle in unwaited if handle.error is not None), None)
    raise CommError(f"rank {rank} ended its program without waiting for what it had started in the background: "
                    f"{listed}{more}; call wait() on what async_op=True returned") from first


def failed(unwaited: dict) -> str:
    """For the table of a stall: what failed in the background, and nobody has heard of it yet."""
    first = next((handle for handle in unwaited if handle.error is not None), None)
    if first is None:
        return ""
    return f"{first.name}, started at {first.where}, failed with {type(first.error).__name__}: {first.error}"


def strand_ctx(ctx: int) -> int:
    """The context of the strand of the group with this context: the same on all its ranks, without a message."""
    return _derived(f"{ctx}/strand", 7)
