"""What a rank of the simulated world can do, and what all ranks share.

    program ──> Comm ──> SimEndpoint ──> lane to each peer ──> SimEndpoint of the peer
                              └────────> kernel: now, park, at
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from .. import arrays
from ..calls import CallLog
from ..errors import user_line
from ..face import Endpoint, Link, Mail
from ..ledger import Ledger
from ..trace import Event, Span
from .faults import Faults
from .kernel import Alarm, Deadline, Kernel, Task, Unwind
from .lane import Lane
from .letter import Letter
from .strand import SimStrand
from .transfer import Receive, Send, begin, seal_of
from .uplink import Uplinks


class Fabric:
    """The links between the ranks and the records of a run."""

    def __init__(self, link: Link, links: dict[tuple[int, int], Link], trace: bool, on_report: Callable | None,
                 faults: Faults, uplinks: Uplinks | None = None):
        self.link, self.links, self.on_report, self.faults = link, links, on_report, faults
        self.uplinks = uplinks
        self.events: list[Event] | None = [] if trace else None
        self.spans: list[Span] | None = [] if trace else None
        self.endpoints: list[SimEndpoint] = []
        self.doors: dict[tuple[int, int], SimEndpoint] = {}     # of strands: (rank, line) -> a second door of the rank
        self.pauses = 0                 # computes and sleeps begun so far
        self.short_way = not trace and faults == Faults()       # else every message takes the plain way (see `fast`)

    def door(self, rank: int, line: int) -> SimEndpoint:
        """The rank's door of its main line (0) or of a strand."""
        if not line:
            return self.endpoints[rank]
        door = self.doors.get((rank, line))
        if door is None:
            main = self.endpoints[rank]
            door = SimEndpoint(self, main.kernel, Task(rank), main.world_size, main.seed)
            door.line, door.ports, door.unwaited, door.task.endpoint = line, main.ports, main.unwaited, door
            self.doors[rank, line] = door
        return door

    def lane(self, src: int, dst: int, line: int) -> Lane:
        """The lane from src to dst, made at its first use; strands have lanes of their own between the same ports."""
        sender, receiver = self.door(src, line), self.door(dst, line)
        lane = sender.lanes_to.get(dst)
        if lane is None:
            make = Lane if self.uplinks is None else self.uplinks.lane
            lane = make(sender, receiver, self.links.get((src, dst), self.link), self.faults.of_lane(src, dst))
            sender.lanes_to[dst] = receiver.lanes_from[src] = lane
        return lane

    def lanes(self) -> list[Lane]:
        doors = [*self.endpoints, *self.doors.values()]
        return [lane for door in doors for _, lane in sorted(door.lanes_to.items())]

    def ledger(self) -> Ledger:
        ledger = Ledger(len(self.endpoints))
        ledger.racks = None if self.uplinks is None else self.uplinks.racks
        for lane in self.lanes():
            src, dst = lane.sender.rank, lane.receiver.rank
            ledger.counts[src, dst] += lane.vals_bytes, lane.keys_bytes, lane.header_bytes, lane.retry_bytes
            ledger.sent[src, dst] += lane.messages
        return ledger


class SimEndpoint(Endpoint):
    """One rank's door: of its program (line 0), or of a strand, which has the same `ports` and waits by itself."""

    __slots__ = ("fabric", "kernel", "lanes_from", "lanes_to", "letters", "line", "logs", "polling", "ports", "rank",
                 "seed", "task", "unwaited", "world_size")

    def __init__(self, fabric: Fabric, kernel: Kernel, task: Task, world_size: int, seed: int):
        self.fabric, self.kernel, self.task = fabric, kernel, task
        self.rank, self.world_size, self.seed = task.rank, world_size, seed
        self.line, self.ports, self.unwaited = 0, task, {}
        self.lanes_to: dict[int, Lane] = {}
        self.lanes_from: dict[int, Lane] = {}
        self.letters: dict[int, deque[Letter]] = {}
        self.logs: dict[int, CallLog] = {}
        self.polling: tuple[int, Alarm] | None = None

    # ---- tensors ------------------------------------------------------------------------------------------------

    def isend(self, array: np.ndarray, name: str, dst: int, ctx: int, tag: int, sync: bool, control: bool) -> Send:
        lane = self.lanes_to.get(dst) or self.fabric.lane(self.rank, dst, self.line)
        where, seal, payload_bytes = "", None, array.nbytes
        if not control:
            lane.vals_bytes += payload_bytes
            lane.messages += 1
            where = user_line(2) if self.fabric.events is not None else ""
            seal = None if sync else seal_of(array)
        send = Send(lane, (ctx, tag), array, name, payload_bytes, self.kernel.now, seal, sync, control, where)
        receive = lane.meet(send)
        if receive is not None:
            begin(send, receive)
        return send

    def irecv(self, src: int, ctx: int, tag: int, out, op: str | None, control: bool) -> Receive:
        lane = self.lanes_from.get(src) or self.fabric.lane(src, self.rank, self.line)
        array, name = (None, None) if out is None else arrays.out_view(out)
        return Receive(lane, (ctx, tag), out, array, name, op, control).post()

    # ---- mail ---------------------------------------------------------------------------------------------------

    def post(self, dst: int, ctx: int, kind: str, meta: dict, tensors: Sequence, retry: bool = False) -> None:
        if self.kernel.ending:
            raise Unwind
        receiver = self.fabric.door(dst, self.line)
        letter = Letter(self, receiver, ctx, kind, meta, tensors)
        if receiver is self:
            letter.start_s = letter.end_s = letter.arrive_s = self.kernel.now
            letter.fire()
            return
        lane = self.lanes_to.get(dst) or self.fabric.lane(self.rank, dst, self.line)
        lane.messages += 1
        if retry:
            lane.retry_bytes += letter.payload_bytes
        else:
            lane.vals_bytes += letter.vals_bytes
            lane.keys_bytes += letter.keys_bytes
            lane.header_bytes += len(letter.head)
        letter.start_s, letter.end_s = lane.take_ports(letter.payload_bytes)
        letter.arrive_s = letter.end_s + lane.latency_s
        if lane.faults is None:
            self.kernel.at(letter.arrive_s, letter)
            return
        for arrive_s in lane.faults.of_letter(letter.arrive_s, lane.latency_s):
            self.kernel.at(arrive_s, letter.copy(arrive_s))

    def poll(self, ctx: int, timeout_s: float | None) -> Mail | None:
        kernel = self.kernel
        if kernel.ending:
            raise Unwind
        letters = self.letters.setdefault(ctx, deque())
        if not letters and timeout_s != 0:
            began_s, alarm = kernel.now, Alarm(self.task)
            self.polling = ctx, alarm
            if timeout_s is not None:
                kernel.at(began_s + timeout_s, Deadline(alarm))
            kernel.park(_POLL)
            self.polling = None
            self.span("wait", began_s)
        return letters.popleft().open() if letters else None

    # ---- time ---------------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.kernel.now

    def sleep(self, seconds: float) -> None:
        self._let_pass("sleep", seconds, _SLEEP)

    def compute(self, seconds: float) -> None:
        self._let_pass("compute", seconds * self.fabric.faults.slow.get(self.rank, 1.0), _COMPUTE)

    def report(self, value) -> None:
        on_report = self.fabric.on_report
        if on_report is not None:
            own = copy.deepcopy(value)
            self.kernel.in_caller(lambda: on_report(self.rank, own))

    def strand(self, comm) -> SimStrand:
        return SimStrand(comm, self)

    def span(self, what: str, began_s: float) -> None:
        """Note how this rank spent its time since began_s."""
        if self.fabric.spans is not None and self.kernel.now > began_s and not (self.line and what == "wait"):
            self.fabric.spans.append(Span(self.rank, what, began_s, self.kernel.now))

    def _let_pass(self, what: str, seconds: float, waits_for) -> None:
        kernel = self.kernel
        self.fabric.pauses += 1
        began_s = kernel.now
        kernel.at(began_s + seconds, self.task)
        kernel.park(waits_for)
        self.span(what, began_s)


class _Alone:
    """What a rank does that waits for no other rank."""

    def __init__(self, text: str):
        self._text = text

    def describe(self) -> tuple[str, int | None]:
        return self._text, None


_POLL, _SLEEP, _COMPUTE = _Alone("poll()"), _Alone("sleep()"), _Alone("compute()")
