"""The face of every world: what a distributed program may call.

    def program(comm, x):                             one rank of it; the same function in every world
        right = (comm.rank + 1) % comm.world_size
        left = (comm.rank - 1) % comm.world_size
        work = comm.isend(x, dst=right)               tensors: in order per (source, tag), waited for
        y = comm.recv(src=left)
        work.wait()
        return y

Two planes: *tensors* (send, recv and their `i` forms, reliable, one named peer) and *mail* (post, poll: any sender,
time-outs, small metadata with tensors; what servers live on). A `Comm` is a group of ranks over an `Endpoint`, which is
what a world gives each rank; `split` makes smaller groups over the same endpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from . import arrays, groups
from .calls import CallLog
from .checks import is_number
from .endpoint import Endpoint, Mail, Work
from .link import Link  # noqa: F401 - part of the face
from .tags import is_call

MAX_TAG = 2**31 - 1


class Comm:
    """A group of ranks. `rank` and `world_size` count within the group; `members` are their world ranks."""

    def __init__(self, endpoint: Endpoint, members: Sequence[int] | None = None, ctx: int = 0):
        self._endpoint = endpoint
        self.members = _everyone(endpoint.world_size) if members is None else tuple(members)
        self.rank = self.members.index(endpoint.rank)
        self.world_size = len(self.members)
        self.device = torch.device("cpu")
        self.model = None                   # what was measured of this world (pslab.collectives.fit); `auto` goes by it
        self._ctx = ctx
        self._group_rank: dict[int, int] | None = None          # made when it is needed: it is as long as the group
        self._splits, self._strand = 0, None
        self._rng: torch.Generator | None = None
        if ctx not in endpoint.logs:
            endpoint.logs[ctx] = CallLog(self.members, ctx)
        # For collectives: calling(name, dtype, size, …) begins a call and gives the tag for its messages (see `calls`).
        self.calling = endpoint.logs[ctx].note

    # ---- tensors ------------------------------------------------------------------------------------------------

    def send(self, tensor, dst: int, tag: int = 0) -> None:
        """Send and wait until the receiver has it. What was not received in the other rank's program never returns."""
        array, name = arrays.view(tensor)
        self._endpoint.isend(array, name, self._peer(dst, "dst"), self._ctx, _tag(tag), True, False).wait()

    def isend(self, tensor, dst: int, tag: int = 0) -> Work:
        """Start sending; the tensor must stay untouched until `wait()` of the work returns."""
        array, name = arrays.view(tensor)
        return self._endpoint.isend(array, name, self._peer(dst, "dst"), self._ctx, _tag(tag), False, False)

    def recv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, plus=None,
             timeout_s: float | None = None):
        """The next tensor from src with this tag, in the order they were sent.

        With `out` it is written there, or reduced into it by `op` ('sum', 'max', 'min', 'prod'); `out` is returned.
        With `plus` too, out = plus (op) what came, in one pass, and plus stays as it is: for `out` in memory that is
        cheaper to send from (see `empty`). ValueError, on both sides, when shape or dtype is not out's. TimeoutError
        after timeout_s.
        """
        return self.irecv(src, tag, out=out, op=op, plus=plus).wait(timeout_s)

    def irecv(self, src: int, tag: int = 0, *, out=None, op: str | None = None, plus=None) -> Work:
        """Start receiving; `wait()` gives the tensor. Receives of one (src, tag) are served in the order posted.

        `out` and `plus` must stay untouched until then.
        """
        if op is not None:
            arrays.check_op(op)
            if out is None:
                raise ValueError(f"op={op!r} reduces into out=, which is missing")
        if plus is None:
            return self._endpoint.irecv(self._peer(src, "src"), self._ctx, _tag(tag), out, op, False)
        if op is None:
            raise ValueError("plus= is reduced with what comes, by op=, which is missing")
        first = arrays.check_alike(plus, out)
        return self._endpoint.irecv_plus(self._peer(src, "src"), self._ctx, _tag(tag), out, op, first)

    def relay(self, src: int, dst: int, tag: int = 0, *, out=None) -> tuple[torch.Tensor, Work]:
        """Receive from src and send the same on to dst: (the tensor, or `out`; the work of sending it on).

        As recv and then isend, also in the ledger; but what lies in shared memory is not copied for its onward way:
        dst reads it where it lies, and only then has its first sender's `wait()` an end. So in a ring of relays wait
        for nothing sent before everything is received.
        """
        return self._endpoint.relay(self._peer(src, "src"), self._peer(dst, "dst"), self._ctx, _tag(tag), out)

    def stages(self, tensor) -> bool:
        """Whether sending this tensor copies it into shared memory first, which sending from `empty` does not."""
        return self._endpoint.stages(arrays.view(tensor)[0])

    @property
    def shares_memory(self) -> bool:
        """Whether ranks read large tensors in each other's memory: then `relay` and `empty` save copies."""
        return self._endpoint.shares_memory

    def empty(self, shape, dtype=torch.float32) -> torch.Tensor:
        """An uninitialised tensor in memory that this world sends from without staging."""
        return self._endpoint.empty(shape, arrays.dtype_name(dtype))

    # ---- mail ---------------------------------------------------------------------------------------------------

    def post(self, dst: int, kind: str, meta: dict | None = None, tensors: Sequence = (), *,
             retry: bool = False, give: bool = False) -> None:
        """Send mail to a rank of this group (oneself included); never blocks, and the tensors may change at once.

        retry: this letter was sent before; the ledger counts all of it as `retry`.
        give: the tensors are the receiver's from now on, and must not be changed here any more. Where they all lie in
        memory from `empty` they are then not copied, but read there (Mail.views).
        """
        if not isinstance(kind, str) or not kind:
            raise ValueError(f"kind={kind!r}; a non-empty string is needed")
        meta = {} if meta is None else meta
        again = {"retry": True} if retry else {}
        if give and self._endpoint.shares_memory:
            again["give"] = True
        self._endpoint.post(self._peer(dst, "dst", oneself=True), self._ctx, kind, meta, tensors, **again)

    def poll(self, timeout_s: float | None = None) -> Mail | None:
        """The next mail from anyone in this group; None after timeout_s (0 looks once; None waits without end)."""
        if timeout_s is not None and not (is_number(timeout_s) and timeout_s >= 0):
            raise ValueError(f"timeout_s={timeout_s!r}; 0 or more seconds, or None, is needed")
        mail = self._endpoint.poll(self._ctx, timeout_s)
        if mail is not None:
            if self._group_rank is None:
                self._group_rank = {world: group for group, world in enumerate(self.members)}
            mail.src = self._group_rank[mail.src]
        return mail

    # ---- groups and time ----------------------------------------------------------------------------------------

    def split(self, color: int | None, key: int = 0) -> Comm | None:
        """Subgroup of the ranks that gave the same color, ordered by (key, rank); None for color None. Collective."""
        if color is not None and (not isinstance(color, int) or color < 0):
            raise ValueError(f"color={color!r}; a number from 0, or None to stay out, is needed")
        table = groups.exchange(self._endpoint, self.members, self.rank, self._ctx, self.calling("split", None, -1),
                                np.array([-1 if color is None else color, key], np.int64))
        self._splits += 1
        if color is None:
            return None
        mine = sorted((int(k), group_rank) for group_rank, (c, k) in enumerate(table) if c == color)
        ctx = _derived(f"{self._ctx}/{self._splits}/{color}", 7)
        part = type(self)(self._endpoint, [self.members[group_rank] for _, group_rank in mine], ctx)
        part.model = self.model
        return part

    def barrier(self) -> None:
        """Return when every rank of the group has called it (dissemination: ⌈log2 K⌉ rounds of empty messages)."""
        groups.meet(self._endpoint, self.members, self.rank, self._ctx, self.calling("barrier", None, -1))

    def background(self, call, *tensors, writes: bool = False, name: str = "") -> Work:
        """Start call(twin, *tensors) beside the program, after what this group started before (see `strand`).

        `twin` is a Comm of the same ranks; `wait()` gives what call returns or raises. Until then the tensors (each may
        be a list of some) must stay untouched. writes: call writes into them.
        """
        if self._strand is None:
            self._strand = self._endpoint.strand(self)
        return self._strand.start(call, tensors, writes, name or getattr(call, "__name__", "call"))

    def now(self) -> float:
        """Seconds since the run began: virtual in the simulator, real elsewhere."""
        return self._endpoint.now()

    def sleep(self, seconds: float) -> None:
        self._endpoint.sleep(_seconds(seconds))

    def compute(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass; does nothing in real worlds, where computing takes its own time."""
        self._endpoint.compute(_seconds(seconds))

    def report(self, value) -> None:
        """Hand a small value to the caller's `on_report(rank, value)` while the run goes on."""
        self._endpoint.report(value)

    @property
    def rng(self) -> torch.Generator:
        """This rank's own seeded generator: draw from it, and a run can be replayed."""
        if self._rng is None:
            self._rng = torch.Generator().manual_seed(_derived(f"{self._endpoint.seed}/{self._endpoint.rank}", 7))
        return self._rng

    def _peer(self, rank: int, argument: str, oneself: bool = False) -> int:
        if not isinstance(rank, (int, np.integer)) or not 0 <= rank < self.world_size:
            raise ValueError(f"{argument}={rank!r}; this group has ranks 0..{self.world_size - 1}")
        if rank == self.rank and not oneself:
            raise ValueError(f"{argument}={rank} is this rank itself; a rank keeps its own data without sending")
        return self.members[rank]

    def __repr__(self) -> str:
        return f"Comm(rank {self.rank} of {self.world_size})"


@lru_cache(maxsize=4)
def _everyone(world_size: int) -> tuple[int, ...]:
    """One tuple for all the ranks of a simulated world: a thousand of a thousand would fill the caches."""
    return tuple(range(world_size))


def _tag(tag: int) -> int:
    if not isinstance(tag, (int, np.integer)) or not (0 <= tag <= MAX_TAG or is_call(tag)):
        raise ValueError(f"tag={tag!r}; a number from 0 to {MAX_TAG} is needed")
    return int(tag)


def _seconds(seconds: float) -> float:
    if not is_number(seconds) or not 0 <= seconds < float("inf"):
        raise ValueError(f"seconds={seconds!r}; 0 or more is needed")
    return float(seconds)


def _derived(text: str, size: int) -> int:
    """A number fixed by the text alone, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")
