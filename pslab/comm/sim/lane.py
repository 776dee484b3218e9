"""A lane: all that goes from one rank to another. What waits there for its other half, and what was counted.

    rank 0 ─out═╗          ╔═in─ rank 2       a message takes both of its ports, the sender's out and the receiver's in,
    rank 1 ─out═╬══════════╬═in─ rank 3       for overhead + bytes/bandwidth, as soon as both are free; whoever is ready
                ╚═ lane 1 to 2                first is served first, and keeps what it has been promised

A promise is kept: a message that waits for its receiver's port holds up later ones of its own sender.
"""

from __future__ import annotations

from collections import deque


class Lane:
    """From `sender` to `receiver` (endpoints)."""

    __slots__ = ("bandwidth_Bps", "faults", "header_bytes", "keys_bytes", "latency_s", "messages", "overhead_s",
                 "receiver", "sender", "vals_bytes", "waiting")

    def __init__(self, sender, receiver, link, faults=None):
        self.sender, self.receiver, self.faults = sender, receiver, faults
        self.latency_s, self.overhead_s, self.bandwidth_Bps = link.latency_s, link.overhead_s, link.bandwidth_Bps
        self.vals_bytes = self.keys_bytes = self.header_bytes = self.messages = 0
        self.waiting: dict = {}         # (ctx, tag): a Send or a Receive that waits for the other, or a deque of them

    def take_ports(self, payload_bytes: int) -> tuple[float, float]:
        """When both ports are busy with this message: (start, end)."""
        sender, receiver = self.sender, self.receiver
        start_s = sender.kernel.now
        if start_s < sender.out_free_s:
            start_s = sender.out_free_s
        if start_s < receiver.in_free_s:
            start_s = receiver.in_free_s
        end_s = start_s + (self.overhead_s + payload_bytes / self.bandwidth_Bps)
        sender.out_free_s = receiver.in_free_s = end_s
        return start_s, end_s

    def meet(self, mine, first: bool = False):
        """The oldest of the other kind under the same key; with none there, mine waits, at the end or first."""
        there = self.waiting.get(mine.key)
        if there is None:
            self.waiting[mine.key] = mine
            return None
        if type(there) is not deque:
            if type(there) is not type(mine):
                del self.waiting[mine.key]
                return there
            there = self.waiting[mine.key] = deque((there,))
        if type(there[0]) is type(mine):
            there.appendleft(mine) if first else there.append(mine)
            return None
        oldest = there.popleft()
        if not there:
            del self.waiting[mine.key]
        return oldest

    def take_back(self, mine) -> None:
        """Let `mine` wait here no longer."""
        there = self.waiting[mine.key]
        if type(there) is deque and len(there) > 1:
            there.remove(mine)
        else:
            del self.waiting[mine.key]

    def halves(self, kind: type) -> list:
        """All of one kind that wait here, oldest first under each key."""
        found = []
        for there in self.waiting.values():
            found += [half for half in (there if type(there) is deque else (there,)) if type(half) is kind]
        return found
