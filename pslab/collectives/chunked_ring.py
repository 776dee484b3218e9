"""The chunked (pipelined) ring all-reduce: the ring, but each piece travels as a train of m chunks.

In the ring a rank waits until a whole piece has come before it sends it on. Here it sends the first chunk on while the
second is still coming. One piece on its way over three links, with long lines (latency L, shown as ~):

    ring          ████~~~~                                m = 4     █ █ █ █~~~~
                          ████~~~~                                       █ █ █ █~~~~
                                  ████~~~~                                    █ █ █ █~~~~

A port is busy s = o + n·β for a chunk of n bytes, where o is the part of α that the port itself spends; the latency L
passes while the next chunk is on the port. With equal chunks every step takes max(m·s, s + L): the latency is hidden
from m·s ≥ s + L on, and the price is m times the overhead. Bytes are those of the ring, messages m times as many:

    time = (2(K−1) − 1)·max(m·s, s + L) + m·s + L                  m = 1: the ring, 2(K−1)(s + L)
"""

from __future__ import annotations

from .chunks import Flat, Pieces, as_mean


def chunked_ring(comm, row: Flat, op: str, ranks: int, tag: int, chunks: int) -> None:
    """All-reduce `row` in place, and divide it by `ranks`. chunks: m, of each of the K pieces."""
    rank, K = comm.rank, comm.world_size
    right, left = (rank + 1) % K, (rank - 1) % K
    pieces, steps = Pieces(row, K), 2 * (K - 1)

    def coming(step: int) -> Pieces:                     # first half: grows; second half: complete
        return Pieces(pieces[(rank - 2 - step if step < K - 1 else rank - 2 - step + K) % K], chunks)

    def ask(step: int, chunk: int):
        return comm.irecv(left, tag, out=coming(step)[chunk], op=op if step < K - 1 else None)

    if K == 1:
        return
    first = Pieces(pieces[left], chunks)                 # the first to leave is the left neighbour's
    sending = [comm.isend(first[chunk], right, tag) for chunk in range(chunks)]
    asked = [ask(0, chunk) for chunk in range(chunks)]
    for step in range(steps):
        came = coming(step)
        for chunk in range(chunks):
            asked[chunk].wait()
            sending[chunk].wait()
            if step == K - 2:
                as_mean(came[chunk], ranks)              # its own piece, complete
            if step < steps - 1:
                sending[chunk] = comm.isend(came[chunk], right, tag)
                asked[chunk] = ask(step + 1, chunk)
