"""All-gather by Bruck's algorithm: what a rank has doubles in every round, for any K. K = 5, to the left:

              rank 0        rank 1        rank 2        rank 3        rank 4
    start     0             1             2             3             4
    round 0   0 1           1 2           2 3           3 4           4 0          one from the right neighbour
    round 1   0 1 2 3       1 2 3 4       2 3 4 0       3 4 0 1       4 0 1 2      two from two places to the right
    round 2   0 1 2 3 4     1 2 3 4 0     …                                        the one that is missing, from four

⌈log2 K⌉ messages instead of the ring's K−1, with the same bytes: time ⌈log2 K⌉·α + (K−1)·n·b·β. A message carries
several tensors as one, which is why all must have one shape. (For K = 2^n this is recursive doubling, turned round.)

Jehoshua Bruck and others, "Efficient algorithms for all-to-all communications in multiport message-passing systems",
1997.
"""

from __future__ import annotations

import torch


def bruck_gather(comm, mine: torch.Tensor, tag: int) -> list[torch.Tensor]:
    """The tensors of all ranks, in rank order."""
    rank, size = comm.rank, comm.world_size
    have = torch.empty((size, *mine.shape), dtype=mine.dtype)        # row i: of the rank i places to the right
    have[0] = mine
    count = 1
    while count < size:
        more = min(count, size - count)
        sending = comm.isend(have[:more], (rank - count) % size, tag)
        comm.recv((rank + count) % size, tag, out=have[count:count + more])
        sending.wait()
        count += more
    return [have[(other - rank) % size].clone() for other in range(size)]
