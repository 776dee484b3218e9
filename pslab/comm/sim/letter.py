"""Mail on its way: eager, ready when posted, in the order in which it arrives.

    post ──> start ══ ports held ══ end ~~latency~~ arrive: fire() puts it into the receiver's box and wakes a poll
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence

import msgpack

from .. import arrays, wire
from ..face import Mail
from ..trace import Event
from .kernel import Task


class Letter:
    """Kind and meta are packed, and tensors copied, when the letter is posted: the sender may go on changing them."""

    __slots__ = ("arrive_s", "ctx", "end_s", "head", "keys_bytes", "payload_bytes", "posted_s", "receiver", "sender",
                 "start_s", "tensors", "vals_bytes")

    def __init__(self, sender, receiver, ctx: int, kind: str, meta: dict, tensors: Sequence):
        views = [arrays.view(tensor, f"tensors[{i}]") for i, tensor in enumerate(tensors)]
        descriptor, head_bytes = wire.describe_mail(kind, meta, views)
        self.sender, self.receiver, self.ctx = sender, receiver, ctx
        self.head = descriptor[:head_bytes]
        self.tensors = [(array.copy(), name) for array, name in views]
        self.keys_bytes = sum(array.nbytes for array, name in views if "int" in name and name != "int8")
        self.vals_bytes = sum(array.nbytes for array, name in views) - self.keys_bytes
        self.payload_bytes = head_bytes + self.keys_bytes + self.vals_bytes
        self.posted_s = sender.kernel.now

    def copy(self, arrive_s: float) -> Letter:
        """One that arrives at another time, with tensors of its own."""
        other = copy.copy(self)
        other.arrive_s, other.tensors = arrive_s, [(array.copy(), name) for array, name in self.tensors]
        return other

    def fire(self) -> Task | None:
        """It arrives. The rank to wake, if one polls for it."""
        receiver = self.receiver
        receiver.letters.setdefault(self.ctx, deque()).append(self)
        if receiver.polling is not None and receiver.polling[0] == self.ctx:
            return receiver.polling[1].fire()
        return None

    def open(self) -> Mail:
        """What the receiver's program gets."""
        kind, meta = msgpack.unpackb(self.head, strict_map_key=False)
        events = self.receiver.fabric.events
        if events is not None:
            events.append(Event(self.sender.rank, self.receiver.rank, "mail", kind, self.payload_bytes, self.posted_s,
                                self.start_s, self.end_s, self.arrive_s, self.receiver.kernel.now))
        return Mail(self.sender.rank, kind, meta, [arrays.tensor_of(array, name) for array, name in self.tensors])
