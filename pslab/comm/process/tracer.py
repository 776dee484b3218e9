"""The trace of real processes: each rank notes what passes its own doors, the caller puts the notes of all together.

    sender    isend ─ posted ··· start ══ end                             end: the bytes have left the caller's tensor
    receiver                               arrive ··· received            received: the program has it

A tensor that is read where it lies starts when its receiver begins to read, and ends when it has been read. On a
throttled link start and end are those of the modelled port. All moments are of one clock, the machine's monotonic one,
counted from the moment at which the first rank began, as `comm.now()` counts them.

Spans are 'wait' (inside a wait, a receive or a poll, with the copying and adding of what comes), 'sleep', and 'compute'
(outside of all comm calls). A tracer stands before an endpoint's methods only while a traced run goes on: without one
nothing is in the way, and nothing is paid.
"""

from __future__ import annotations

import threading
import time

from .. import wire
from ..trace import Event, Span, Trace
from .endpoint import ProcessEndpoint
from .incoming import Incoming, RecvWork
from .outgoing import SendWork

SHORTEST_S = 5e-6                   # a shorter span is not noted: the way from one call to the next
DOORS = ("isend", "_post", "post", "poll", "sleep", "arrived", "_finish", "_letter")

NUMBER, DST, PLANE, TAG, BYTES, POSTED, START, END = range(8)           # a row of what was sent; END 0: not yet known


class Tracer:
    """One endpoint's notes of one run; `close` takes it away again."""

    def __init__(self, endpoint: ProcessEndpoint):
        self.endpoint = endpoint
        self.sent: list[list] = []
        self.received: list[list] = []              # [src, plane, number, read from, arrive, received]
        self.spans: list[tuple[str, float, float]] = []
        self.left_s, self.depth, self.thread = endpoint.meter.began_s, 0, threading.get_ident()
        self._leaving: dict[SendWork, list] = {}    # whose bytes have not left yet
        self._landing: dict[RecvWork, list] = {}
        self._here_s: dict[Incoming, float] = {}    # all bytes came, nobody asked yet
        self._letters: dict[int, tuple] = {}        # id of a Mail -> (the Mail, its row)
        self._letters_out, self._letters_in = ([0] * endpoint.world_size for _ in range(2))
        for name in DOORS:
            setattr(endpoint, name, getattr(self, name))

    def close(self) -> None:
        for name in DOORS:
            delattr(self.endpoint, name)

    def told(self) -> list:
        """The notes, as they travel to the caller. Letters that no poll took are left out, as in the simulator."""
        self.enter()
        received = [row for row in self.received if row[5] or row[1] == "tensor"]
        return [self.endpoint.meter.began_s, self.sent, received, self.spans]

    # ---- spans ------------------------------------------------------------------------------------------------------

    def enter(self) -> float:
        now_s = time.monotonic()
        if threading.get_ident() != self.thread:            # a strand: what it waits for is not the rank's own time
            return now_s
        if not self.depth:
            self._span("compute", self.left_s, now_s)
        self.depth += 1
        return now_s

    def leave(self, what: str = "", since_s: float = 0.0) -> float:
        if threading.get_ident() != self.thread:
            return time.monotonic()
        self.depth -= 1
        now_s = self.left_s = time.monotonic()
        if what:
            self._span(what, since_s, now_s)
        return now_s

    def _span(self, what: str, start_s: float, end_s: float) -> None:
        if end_s - start_s >= SHORTEST_S:
            self.spans.append((what, start_s, end_s))

    # ---- the sender's doors -----------------------------------------------------------------------------------------

    def isend(self, array, name, dst, ctx, tag, sync, control, place=None):
        posted_s, endpoint = self.enter(), self.endpoint
        work = ProcessEndpoint.isend(endpoint, array, name, dst, ctx, tag, sync, control, place)
        work.__class__ = _Send
        now_s = self.leave()
        if not control:
            row = [endpoint.channels[dst].number, dst, "tensor", str(tag), array.nbytes, posted_s, posted_s, 0.0]
            if work.leave_s:
                row[START], row[END] = work.leave_s - endpoint.meter.link.port_s(array.nbytes), work.leave_s
            elif work.lent is None and work.owed <= sync:
                row[END] = now_s
            elif work.lent is None:
                self._leaving[work] = row
            self.sent.append(row)
        return work

    def gone(self, work: SendWork) -> None:
        row = self._leaving.pop(work, None)
        if row is not None:
            row[END] = time.monotonic()

    def post(self, dst, ctx, kind, meta, tensors, retry=False, give=False):
        endpoint = self.endpoint
        counts = endpoint.board.counts[endpoint.rank, dst]
        posted_s, before = self.enter(), int(counts.sum())
        try:
            ProcessEndpoint.post(endpoint, dst, ctx, kind, meta, tensors, retry, give)
        finally:
            now_s = self.leave()
        if dst != endpoint.rank:
            size, link = int(counts.sum()) - before, endpoint.meter.link
            end_s = now_s if link is None else endpoint.meter.out_free_s
            start_s = posted_s if link is None else end_s - link.port_s(size)
            self._letters_out[dst] += 1
            self.sent.append([self._letters_out[dst], dst, "mail", kind, size, posted_s, start_s, end_s])

    # ---- the receiver's doors ---------------------------------------------------------------------------------------

    def _post(self, work: RecvWork):
        self.enter()
        work.__class__ = _Recv
        try:
            return ProcessEndpoint._post(self.endpoint, work)
        finally:
            self.leave()

    def arrived(self, channel, incoming: Incoming) -> None:
        if incoming.view is None and incoming.mail is None and not incoming.header.flags & wire.CONTROL:
            self._here_s[incoming] = time.monotonic()
        ProcessEndpoint.arrived(self.endpoint, channel, incoming)

    def _finish(self, incoming: Incoming) -> None:
        began_s, header, work = time.monotonic(), incoming.header, incoming.work
        ProcessEndpoint._finish(self.endpoint, incoming)
        if not header.flags & wire.CONTROL:
            here_s = self._here_s.pop(incoming, 0.0)
            arrive_s = max(incoming.deliver_s, here_s or time.monotonic())
            row = [incoming.src, "tensor", header.number, 0.0 if here_s else began_s, arrive_s, 0.0]
            self.received.append(row)
            self._landing[work] = row

    def taken(self, work: RecvWork, now_s: float) -> None:
        row = self._landing.pop(work, None)
        if row is not None:
            row[5] = now_s

    def _letter(self, incoming: Incoming) -> None:
        src, now_s = incoming.src, time.monotonic()
        ProcessEndpoint._letter(self.endpoint, incoming)
        _, mail = self.endpoint.letters[incoming.header.ctx][-1]
        self._letters_in[src] += 1
        row = [src, "mail", self._letters_in[src], 0.0, max(now_s, incoming.deliver_s), 0.0]
        self.received.append(row)
        self._letters[id(mail)] = mail, row

    def poll(self, ctx, timeout_s):
        since_s, mail = self.enter(), None
        try:
            mail = ProcessEndpoint.poll(self.endpoint, ctx, timeout_s)
        finally:
            now_s = self.leave("wait", since_s)
        if mail is not None and id(mail) in self._letters:
            self._letters.pop(id(mail))[1][5] = now_s
        return mail

    def sleep(self, seconds):
        since_s = self.enter()
        try:
            ProcessEndpoint.sleep(self.endpoint, seconds)
        finally:
            self.leave("sleep", since_s)


class _Send(SendWork):
    """A send that tells its endpoint's tracer. An ordinary one becomes one: the two hold the same fields."""

    __slots__ = ()

    def buffer_free(self) -> None:
        super().buffer_free()
        self.endpoint.tracer.gone(self)

    def wait(self, timeout_s: float | None = None) -> None:
        tracer = self.endpoint.tracer
        since_s = tracer.enter()
        try:
            super().wait(timeout_s)
        finally:
            tracer.leave("wait", since_s)


class _Recv(RecvWork):
    """The same for a receive."""

    __slots__ = ()

    def wait(self, timeout_s: float | None = None):
        tracer = self.endpoint.tracer
        since_s = tracer.enter()
        try:
            value = super().wait(timeout_s)
        finally:
            now_s = tracer.leave("wait", since_s)
        tracer.taken(self, now_s)
        return value


def joined(world_size: int, told: list) -> Trace:
    """One trace of what all ranks `told`; an entry is None where a rank had no tracer."""
    told = [notes if notes else [0.0, [], [], []] for notes in told]
    origin_s = int(min((notes[0] for notes in told if notes[0]), default=0.0) * 1e6) / 1e6       # as `Board.began_s`
    arrivals = {(src, dst, plane, number): times for dst, (_, _, rows, _) in enumerate(told)
                for src, plane, number, *times in rows}
    events = []
    for src, (_, rows, _, _) in enumerate(told):
        free_s: dict[int, float] = {}           # a channel sends one message after the other
        for row in rows:
            times = arrivals.get((src, row[DST], row[PLANE], row[NUMBER]))
            if times is not None:
                events.append(_event(src, row, times, origin_s, free_s))
    events.sort(key=lambda e: (e.received_s, e.src, e.dst))
    spans = [Span(rank, what, start_s - origin_s, end_s - origin_s)
             for rank, (_, _, _, spans) in enumerate(told) for what, start_s, end_s in spans]
    return Trace(world_size, events, sorted(spans, key=lambda s: (s.end_s, s.rank)))


def _event(src: int, row: list, times: list, origin_s: float, free_s: dict) -> Event:
    """A sender may be put aside between sending and looking at the clock: then it left, at the latest, as it came."""
    _, dst, plane, tag, size, posted_s, start_s, end_s = row
    read_s, arrive_s, received_s = times
    if read_s and not end_s:                    # in place, on a free port: its time is the receiver's
        start_s, end_s = read_s, arrive_s
    else:
        end_s = min(end_s or arrive_s, arrive_s)
        start_s = min(max(start_s, min(free_s.get(dst, 0.0), end_s)), end_s)
        free_s[dst] = end_s
    start_s = max(start_s, posted_s)
    moments = posted_s, start_s, max(start_s, end_s), arrive_s, max(received_s, arrive_s)
    return Event(src, dst, plane, tag, size, *(moment_s - origin_s for moment_s in moments))
