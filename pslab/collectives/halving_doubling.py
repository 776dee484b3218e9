"""All-reduce by recursive halving and doubling: pairs swap halves, then quarters, and then all the way back.

K = 4. In each round a rank keeps one half of what it still cares for, gives its partner the other, and adds what the
partner gives. Afterwards everyone owns a quarter, complete, and the same pairs swap back in reverse:

              rank 0       rank 1       rank 2       rank 3
    start     a b c d      a b c d      a b c d      a b c d      (each its own)
    halve        0 <── cd / ab ──> 1       2 <── cd / ab ──> 3                     partner at distance 1, half of P
              a b . .      . . c d      a b . .      . . c d      sums of 2
    halve        0 <── b / a ──> 2         1 <── d / c ──> 3                       distance 2, a quarter
              a . . .      . . c .      . b . .      . . . d      sums of 4, complete
    double    a b . .      . . c d      a b . .      . . c d      distance 2, a quarter
    double    a b c d      a b c d      a b c d      a b c d      distance 1, half

2·log2 K rounds instead of the ring's 2(K−1), with the same bytes: time 2(log2 K·α + (K−1)/K·P·b·β). On links that are
all alike the order of the distances does not matter. On racks of g ranks numbered side by side it does:

    partner="near"   1, 2, 4, …     halves stay in the rack, and over its uplink go 2(1 − g/K)·P·b bytes each way
    partner="far"    …, 4, 2, 1     halves cross: g times as many bytes there

For K that is no power of two, let H be the largest one below it: the K−H ranks above first give their tensor to the
one H below (fold in), and get the result from there at the end (fold out): two more rounds of P elements each. Each
piece is completed by one rank and then copied: equal bits on all ranks.
"""

from __future__ import annotations

from .chunks import Flat, Pieces, as_mean

PARTNERS = ("near", "far")


def halving_doubling(comm, row: Flat, op: str, ranks: int, tag: int, partner: str = "near") -> None:
    """All-reduce `row` in place, and divide it by `ranks`. partner: whether the nearest or the farthest comes first."""
    rank, K = comm.rank, comm.world_size
    H = 1 << (K.bit_length() - 1)
    if rank >= H:                                        # folded: the one H below does the work
        comm.isend(row, rank - H, tag).wait()
        comm.recv(rank - H, tag, out=row)
        return
    if rank + H < K:
        comm.recv(rank + H, tag, out=row, op=op)
    pieces = Pieces(row, H)
    mine, swaps = (0, H), []                             # pieces first … end − 1 are mine to care for
    distances = [1 << bit for bit in range(H.bit_length() - 1)]
    for distance in distances if partner == "near" else reversed(distances):
        peer, middle = rank ^ distance, sum(mine) // 2
        keep, give = (mine[0], middle), (middle, mine[1])
        if rank & distance:
            keep, give = give, keep
        _swap(comm, pieces.span(*give), pieces.span(*keep), peer, op, tag)
        swaps.append((peer, keep, give))
        mine = keep
    as_mean(pieces.span(*mine), ranks)
    for peer, keep, give in reversed(swaps):
        _swap(comm, pieces.span(*keep), pieces.span(*give), peer, None, tag)
    if rank + H < K:
        comm.isend(row, rank + H, tag).wait()


def _swap(comm, out_going: Flat, coming: Flat, peer: int, op: str | None, tag: int) -> None:
    """Both directions at once, as a port is full duplex."""
    sending = comm.isend(out_going, peer, tag)
    comm.recv(peer, tag, out=coming, op=op)
    sending.wait()
