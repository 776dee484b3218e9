"""A lane: all that goes from one rank to another. What waits there for its other half, and what was counted.

    rank 0 ─out═╗          ╔═in─ rank 2       a message takes both of its ports, the sender's out and the receiver's in,
    rank 1 ─out═╬══════════╬═in─ rank 3       for overhead + bytes/bandwidth, as soon as both are free; whoever is ready
                ╚═ lane 1 to 2                first is served first, and keeps what it has been promised

A promise is kept: a message that waits for its receiver's port holds up later ones of its own sender.
"""

from __future__ import annotations

from collections import deque


class Lane:
    """From `sender` to `receiver` (endpoints); `source` and `target` are the tasks that have their ports."""

    __slots__ = ("bandwidth_Bps", "faults", "half", "header_bytes", "kernel", "keys_bytes", "latency_s", "messages",
                 "overhead_s", "receiver", "retry_bytes", "sender", "source", "target", "vals_bytes", "waiting")

    def __init__(self, sender, receiver, link, faults=None):
        self.sender, self.receiver, self.faults = sender, receiver, faults
        self.source, self.target, self.kernel = sender.ports, receiver.ports, sender.kernel
        self.latency_s, self.overhead_s, self.bandwidth_Bps = link.latency_s, link.overhead_s, link.bandwidth_Bps
        self.vals_bytes = self.keys_bytes = self.header_bytes = self.retry_bytes = self.messages = 0
        # What waits for its other half: mostly one Send or Receive at a time, kept in `half`. More of them are in
        # `waiting`: {(ctx, tag): deque}, and then `half` is None.
        self.half = None
        self.waiting: dict[tuple, deque] = {}

    def take_ports(self, payload_bytes: int) -> tuple[float, float]:
        """When both ports are busy with this message: (start, end)."""
        source, target = self.source, self.target
        start_s = self.kernel.now
        if start_s < source.out_free_s:
            start_s = source.out_free_s
        if start_s < target.in_free_s:
            start_s = target.in_free_s
        end_s = start_s + (self.overhead_s + payload_bytes / self.bandwidth_Bps)
        source.out_free_s = target.in_free_s = end_s
        return start_s, end_s

    def meet(self, mine, first: bool = False):
        """The oldest of the other kind under the same key; with none there, mine waits, at the end or first."""
        half = self.half
        if half is None and not self.waiting:
            self.half = mine
            return None
        if half is not None:
            self.half = None
            if half.key == mine.key and type(half) is not type(mine):
                return half
            self.waiting[half.key] = deque((half,))
        line = self.waiting.setdefault(mine.key, deque())
        if not line or type(line[0]) is type(mine):
            line.appendleft(mine) if first else line.append(mine)
            return None
        oldest = line.popleft()
        if not line:
            del self.waiting[mine.key]
        return oldest

    def take_back(self, mine) -> None:
        """Let `mine` wait here no longer."""
        if self.half is mine:
            self.half = None
            return
        self.waiting[mine.key].remove(mine)
        if not self.waiting[mine.key]:
            del self.waiting[mine.key]

    def halves(self, kind: type) -> list:
        """All of one kind that wait here, oldest first under each key."""
        there = [self.half] if self.half is not None else [half for line in self.waiting.values() for half in line]
        return [half for half in there if type(half) is kind]
