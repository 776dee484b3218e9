"""Uplinks: what the ranks of a rack share on the way to all other racks.

    rank 0 ─out═╗ rack 0          rack 1 ╔═in─ rank 2        inside a rack a message takes two ports, as in `lane`;
                ╠═ uplink out ═ in uplink╣                   between racks it takes four: the sender's port, its rack's
    rank 1 ─out═╝                        ╚═in─ rank 3        uplink out, the receiver's rack's uplink in, its port

All four are taken at one moment, the first at which all are free, and each is busy for its own time: overhead +
bytes/bandwidth of its own link. The message ends with the slowest of them. So a message that is alone needs the time of
its narrowest line, because its first packets pass the uplink while the last have not left (cut-through; a switch that
stores messages whole would need the sum over all lines); and a fast uplink serves many ranks, because nobody keeps it
for as long as a slow port takes. With s = overhead + n/bandwidth of a rank's link, u the same of an uplink, and L and
L_up their latencies:

    one message inside a rack                        s + L
    one message between racks                        max(s, u) + L + 2·L_up
    m messages at once, from m ranks of one rack     m·u + L + 2·L_up                where u ≥ s: one after the other
    to m ranks of another                            (m−1)·u + s + L + 2·L_up        where u ≤ s
"""

from __future__ import annotations

from ..racks import Racks
from .lane import Lane


class Uplink:
    """The line of one rack, each way: from when on it is free."""

    __slots__ = ("in_free_s", "out_free_s")

    def __init__(self):
        self.out_free_s = self.in_free_s = 0.0


class CrossLane(Lane):
    """A lane between two racks, over the uplink `up` out of the sender's and `down` into the receiver's."""

    __slots__ = ("down", "up", "uplink_bandwidth_Bps", "uplink_overhead_s")

    def __init__(self, sender, receiver, link, faults, up: Uplink, down: Uplink, uplink):
        super().__init__(sender, receiver, link, faults)
        self.up, self.down = up, down
        self.uplink_overhead_s, self.uplink_bandwidth_Bps = uplink.overhead_s, uplink.bandwidth_Bps
        self.latency_s += 2 * uplink.latency_s

    def take_ports(self, payload_bytes: int) -> tuple[float, float]:
        source, target, up, down = self.source, self.target, self.up, self.down
        start_s = max(self.kernel.now, source.out_free_s, target.in_free_s, up.out_free_s, down.in_free_s)
        port_end_s = start_s + (self.overhead_s + payload_bytes / self.bandwidth_Bps)
        uplink_end_s = start_s + (self.uplink_overhead_s + payload_bytes / self.uplink_bandwidth_Bps)
        source.out_free_s = target.in_free_s = port_end_s
        up.out_free_s = down.in_free_s = uplink_end_s
        return start_s, max(port_end_s, uplink_end_s)


class Uplinks:
    """All uplinks of a run."""

    def __init__(self, racks: Racks, world_size: int):
        self.racks, self._link = racks.of(world_size), racks.uplink
        self._of_rank: dict[int, Uplink] = {}
        for rack in self.racks:
            self._of_rank.update(dict.fromkeys(rack, Uplink()))

    def lane(self, sender, receiver, link, faults) -> Lane:
        up, down = self._of_rank[sender.rank], self._of_rank[receiver.rank]
        if up is down:
            return Lane(sender, receiver, link, faults)
        return CrossLane(sender, receiver, link, faults, up, down, self._link)
