"""Receives into a buffer as long as the part that it sends."""

import torch

REFUSED_BY = "parts of any length"
MISCONCEPTION = "all/raised"


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [torch.empty_like(part) for part in parts]
    result[r] = parts[r]
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        comm.recv((r - s) % K, out=result[(r - s) % K])
        sending.wait()
    return result
