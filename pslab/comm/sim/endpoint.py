"""What a rank of the simulated world can do, and the fabric between the ranks.

    rank 0 ─out═╗          ╔═in─ rank 2       a port is busy until out_free_s / in_free_s; a message takes both of its
    rank 1 ─out═╬══════════╬═in─ rank 3       ports at the same time, and whoever comes first is served first
                ║ tensors wait for a matching receive; mail starts at once
"""

from __future__ import annotations

from collections import deque

import msgpack
import numpy as np

from .. import arrays, wire
from ..errors import user_line
from ..face import Endpoint, Link, Mail
from ..ledger import KINDS, Ledger
from ..trace import Event, Span
from .kernel import Alarm, Deadline, Kernel, Task, Unwind
from .transfer import Receive, Send, begin, seal_of


class Fabric:
    """What all ranks share: links, records, and what waits for its other half."""

    def __init__(self, world_size: int, link: Link, links: dict, trace: bool, on_report):
        self.world_size = world_size
        self.link = link
        self.links = links
        self.events: list[Event] | None = [] if trace else None
        self.spans: list[Span] | None = [] if trace else None
        self.on_report = on_report
        self.endpoints: list[SimEndpoint] = []

    def link_of(self, src: int, dst: int) -> Link:
        return self.links.get((src, dst), self.link) if self.links else self.link

    def reserve(self, sender: SimEndpoint, receiver: SimEndpoint, link: Link, payload_bytes: int):
        """Take both ports as soon as both are free, not before now: (start, end)."""
        start_s = max(sender.kernel.now, sender.out_free_s, receiver.in_free_s)
        end_s = start_s + link.port_s(payload_bytes)
        sender.out_free_s = receiver.in_free_s = end_s
        return start_s, end_s

    def ledger(self) -> Ledger:
        ledger = Ledger(self.world_size)
        for endpoint in self.endpoints:
            for i, kind in enumerate(KINDS):
                if kind in endpoint.bytes_to:
                    ledger.counts[endpoint.rank, :, i] = endpoint.bytes_to[kind]
            ledger.sent[endpoint.rank] = endpoint.sent_to
        return ledger


class SimEndpoint(Endpoint):
    """One rank's door to the fabric."""

    def __init__(self, fabric: Fabric, kernel: Kernel, task: Task, seed: int, slow: float = 1.0):
        self.fabric, self.kernel, self.task, self.seed = fabric, kernel, task, seed
        self.rank, self.world_size = task.rank, fabric.world_size
        self.short_way = fabric.events is None and not fabric.links
        self.out_free_s = self.in_free_s = 0.0
        self.inbox: dict = {}               # (src, ctx, tag): a Send or a Receive that waits for the other, or a deque
        self.letters: dict[int, deque] = {}
        self.polling: tuple[int, Alarm] | None = None
        self.sent_to = [0] * self.world_size
        self.vals_to = [0] * self.world_size
        self.bytes_to = {"vals": self.vals_to, "keys": [0] * self.world_size, "header": [0] * self.world_size}

    # ---- tensors ------------------------------------------------------------------------------------------------

    def isend(self, array: np.ndarray, name: str, dst: int, ctx: int, tag: int, sync: bool, control: bool) -> Send:
        key = (self.rank, ctx, tag)
        send = Send(self, array, name, dst, key)
        if control:
            send.control = True
        else:
            self.vals_to[dst] += send.payload_bytes
            self.sent_to[dst] += 1
            if sync:
                send.sync = True
            else:
                send.seal = seal_of(array)
            if self.fabric.events is not None:
                send.where = user_line(2)
        inbox = self.fabric.endpoints[dst].inbox
        if key not in inbox:
            inbox[key] = send
        else:
            receive = _meet(inbox, key, send, Receive)
            if receive is not None:
                begin(send, receive)
        return send

    def irecv(self, src: int, ctx: int, tag: int, out, op: str | None, control: bool) -> Receive:
        key = (src, ctx, tag)
        receive = Receive(self, key, out, op, control)
        send = _meet(self.inbox, key, receive, Send)
        if send is not None:
            begin(send, receive)
        return receive

    # ---- mail ---------------------------------------------------------------------------------------------------

    def post(self, dst: int, ctx: int, kind: str, meta: dict, tensors) -> None:
        if self.kernel.ending:
            raise Unwind
        pairs = [arrays.view(tensor, f"tensors[{i}]") for i, tensor in enumerate(tensors)]
        head, head_bytes = wire.describe_mail(kind, meta, pairs)
        copies = [(array.copy(), name) for array, name in pairs]
        receiver = self.fabric.endpoints[dst]
        letter = Letter(self, receiver, ctx, head[:head_bytes], copies)
        if receiver is self:
            letter.start_s = letter.end_s = letter.arrive_s = self.kernel.now
            letter.fire()
            return
        self.sent_to[dst] += 1
        self.bytes_to["header"][dst] += head_bytes
        for array, name in pairs:
            plane = "keys" if name != "bfloat16" and array.dtype.kind in "iu" else "vals"
            self.bytes_to[plane][dst] += array.nbytes
        link = self.fabric.link_of(self.rank, dst)
        letter.start_s, letter.end_s = self.fabric.reserve(self, receiver, link, letter.payload_bytes)
        letter.arrive_s = letter.end_s + link.latency_s
        self.kernel.at(letter.arrive_s, letter)

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
            kernel.park(_Poll)
            self.polling = None
            self._span("wait", began_s)
        if not letters:
            return None
        return letters.popleft().open()

    # ---- time ---------------------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.kernel.now

    def sleep(self, seconds: float) -> None:
        self._pass("sleep", seconds, _Sleep)

    def compute(self, seconds: float) -> None:
        self._pass("compute", seconds, _Compute)

    def report(self, value) -> None:
        on_report, rank = self.fabric.on_report, self.rank
        if on_report is not None:
            self.kernel.in_caller(lambda: on_report(rank, value))

    def _pass(self, what: str, seconds: float, waits_for) -> None:
        kernel = self.kernel
        began_s = kernel.now
        kernel.at(began_s + seconds, self.task)
        kernel.park(waits_for)
        self._span(what, began_s)

    def _span(self, what: str, began_s: float) -> None:
        if self.fabric.spans is not None and self.kernel.now > began_s:
            self.fabric.spans.append(Span(self.rank, what, began_s, self.kernel.now))


def _meet(inbox: dict, key: tuple, mine, other: type):
    """The oldest of the other kind that waits under this key; without one, mine waits there."""
    there = inbox.get(key)
    if there is None:
        inbox[key] = mine
        return None
    if type(there) is other:
        del inbox[key]
        return there
    if type(there) is not deque:
        inbox[key] = deque((there, mine))
        return None
    if type(there[0]) is not other:
        there.append(mine)
        return None
    first = there.popleft()
    if not there:
        del inbox[key]
    return first


class Letter:
    """Mail on its way; fire() puts it into its box, and wakes a rank that polls for it."""

    __slots__ = ("arrays", "arrive_s", "ctx", "end_s", "packed", "payload_bytes", "posted_s", "receiver", "sender",
                 "start_s")

    def __init__(self, sender: SimEndpoint, receiver: SimEndpoint, ctx: int, packed: bytes, copies: list):
        self.sender, self.receiver, self.ctx, self.packed, self.arrays = sender, receiver, ctx, packed, copies
        self.payload_bytes = len(packed) + sum(array.nbytes for array, _ in copies)
        self.posted_s = sender.kernel.now

    def fire(self) -> Task | None:
        self.receiver.letters.setdefault(self.ctx, deque()).append(self)
        if self.receiver.polling is not None and self.receiver.polling[0] == self.ctx:
            return self.receiver.polling[1].fire()
        return None

    def open(self) -> Mail:
        kind, meta = msgpack.unpackb(self.packed, strict_map_key=False)
        events = self.receiver.fabric.events
        if events is not None:
            events.append(Event(self.sender.rank, self.receiver.rank, "mail", kind, self.payload_bytes, self.posted_s,
                                self.start_s, self.end_s, self.arrive_s, self.receiver.kernel.now))
        return Mail(self.sender.rank, kind, meta, [arrays.tensor_of(array, name) for array, name in self.arrays])


class _Idle:
    """What a rank does that waits for no other rank."""

    def __init__(self, text: str):
        self._text = text

    def describe(self) -> tuple[str, int | None]:
        return self._text, None


_Poll, _Sleep, _Compute = _Idle("poll()"), _Idle("sleep()"), _Idle("compute()")
