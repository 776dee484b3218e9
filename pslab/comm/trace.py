"""Who sent what to whom, when; and what each rank did in between.

    posted ──> start ══ port held ══> end ──latency──> arrive ──> received
    the sender called        bytes leave and enter              the receiver took it
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .chrome import write_chrome
from .tags import label


class Event(NamedTuple):
    """One message. Times in seconds since the run began (virtual or real); `plane` is 'tensor' or 'mail'."""

    src: int
    dst: int
    plane: str
    tag: str                  # the tag of a tensor, the kind of a mail
    payload_bytes: int
    posted_s: float
    start_s: float
    end_s: float
    arrive_s: float
    received_s: float

    @property
    def what(self) -> str:
        """What the message is, for people: a collective's name, 'tag 7', or the kind of a mail."""
        if self.plane == "mail":
            return self.tag
        name = label(int(self.tag))
        return f"tag {name}" if name == self.tag else name


class Span(NamedTuple):
    """A stretch of one rank's time: 'compute', 'sleep' or 'wait'."""

    rank: int
    what: str
    start_s: float
    end_s: float


class Trace:
    """Messages in the order of their reception, and spans in the order of their end."""

    def __init__(self, world_size: int, events: Iterable[Event] = (), spans: Iterable[Span] = ()):
        self.world_size = world_size
        self.events: list[Event] = list(events)
        self.spans: list[Span] = list(spans)

    def to_bytes(self) -> bytes:
        """The whole trace, exact to the last bit: equal bytes mean equal runs."""
        out = [struct.pack("<q", self.world_size)]
        for e in self.events:
            out.append(struct.pack("<qqq5d", e.src, e.dst, e.payload_bytes, *e[5:]))
            out.append(f"{e.plane}\0{e.tag}\0".encode())
        for s in self.spans:
            out.append(struct.pack("<q2d", s.rank, s.start_s, s.end_s) + s.what.encode() + b"\0")
        return b"".join(out)

    def to_chrome(self, path: str | Path) -> None:
        """Write the trace as JSON that Perfetto (ui.perfetto.dev) and chrome://tracing open; see `chrome`."""
        write_chrome(self, path)

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return f"Trace({len(self.events)} messages, {len(self.spans)} spans, {self.world_size} ranks)"
