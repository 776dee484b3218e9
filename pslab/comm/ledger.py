"""Every byte that was sent, by link and by kind.

    counts[src, dst, kind]     kind: vals | keys | header | retry
    a port is a row (what a rank sent) and a column (what it received) of that cube
    an uplink is what the ranks of a rack sent to ranks of other racks, and what came from there

A message is counted when it is posted, also when its sender dies before it arrives. Tensors sent from rank to rank are
`vals`. Of mail, integer tensors are `keys` (but int8, in which values are compressed), other tensors `vals`, and the
packed kind and meta `header`. Retransmissions are `retry`, whatever they carry. Barriers and `split` are counted
nowhere.
"""

from __future__ import annotations

import numpy as np

KINDS = ("vals", "keys", "header", "retry")
_INDEX = {kind: i for i, kind in enumerate(KINDS)}


class Ledger:
    """Bytes and messages of a run over `world_size` ranks."""

    def __init__(self, world_size: int, counts: np.ndarray | None = None, sent: np.ndarray | None = None):
        self.world_size = world_size
        shape = (world_size, world_size)
        self.counts = np.zeros((*shape, len(KINDS)), np.int64) if counts is None else counts
        self.sent = np.zeros(shape, np.int64) if sent is None else sent
        self.racks: list[list[int]] | None = None       # ranks of each rack, where the world had some

    def add(self, src: int, dst: int, kind: str, payload_bytes: int) -> None:
        self.counts[src, dst, _INDEX[kind]] += payload_bytes

    def link(self, src: int, dst: int, kind: str | None = None) -> int:
        """Bytes from src to dst."""
        return int(self._of(kind)[self._rank(src, "src"), self._rank(dst, "dst")])

    def port(self, rank: int, kind: str | None = None) -> tuple[int, int]:
        """(bytes out of, bytes into) one rank."""
        cube, rank = self._of(kind), self._rank(rank, "rank")
        return int(cube[rank].sum()), int(cube[:, rank].sum())

    def uplink(self, rack: int, kind: str | None = None) -> tuple[int, int]:
        """(bytes out of, bytes into) one rack, over the line that its ranks share."""
        if self.racks is None:
            raise ValueError(f"uplink({rack}): this run had no racks; SimWorld(..., racks=Racks(...)) has")
        if not 0 <= rack < len(self.racks):
            raise ValueError(f"rack={rack}; this run had racks 0..{len(self.racks) - 1}")
        cube, inside = self._of(kind), self.racks[rack]
        kept = int(cube[np.ix_(inside, inside)].sum())
        return int(cube[inside].sum()) - kept, int(cube[:, inside].sum()) - kept

    def total(self, kind: str | None = None) -> int:
        """Bytes over all links, each counted once."""
        return int(self._of(kind).sum())

    def messages(self, src: int | None = None, dst: int | None = None) -> int:
        """How many messages were posted, in all or on the links of src and dst."""
        sent = self.sent if src is None else self.sent[[self._rank(src, "src")]]
        return int(sent.sum() if dst is None else sent[:, self._rank(dst, "dst")].sum())

    def busiest_port(self, kind: str | None = None) -> tuple[int, str, int]:
        """(rank, 'out' or 'in', bytes) of the port direction that carried most."""
        cube = self._of(kind)
        out, into = cube.sum(1), cube.sum(0)
        if out.max(initial=0) >= into.max(initial=0):
            return int(out.argmax()), "out", int(out.max(initial=0))
        return int(into.argmax()), "in", int(into.max(initial=0))

    def _of(self, kind: str | None) -> np.ndarray:
        if kind is None:
            return self.counts.sum(2)
        if kind not in _INDEX:
            raise ValueError(f"kind={kind!r}; allowed: {', '.join(KINDS)}, or None for all")
        return self.counts[:, :, _INDEX[kind]]

    def _rank(self, rank: int, argument: str) -> int:
        if not 0 <= rank < self.world_size:
            raise ValueError(f"{argument}={rank}; this run has ranks 0..{self.world_size - 1}")
        return rank

    def __repr__(self) -> str:
        rank, way, most = self.busiest_port() if self.world_size else (0, "out", 0)
        return (f"Ledger({self.total():,} bytes in {self.messages():,} messages over {self.world_size} ranks; "
                f"busiest port: rank {rank} {way}, {most:,} bytes)")
