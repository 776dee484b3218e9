"""Starts from empty tensors and fills in what comes."""

import torch

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/own-part-lost"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [torch.zeros(0) for _ in range(K)]
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        result[(r - s) % K] = comm.recv((r - s) % K)
        sending.wait()
    return result
