"""Tells each target the length of its part before the part."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "0B/more-than-the-parts"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        dst, src = (r + s) % K, (r - s) % K
        works = [comm.isend(torch.tensor([len(parts[dst])]), dst), comm.isend(parts[dst], dst)]
        length = int(comm.recv(src))
        result[src] = comm.recv(src)[:length]
        for work in works:
            work.wait()
    return result
