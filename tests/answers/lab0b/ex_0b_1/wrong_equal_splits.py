"""Glues the parts together and cuts the whole into K equal pieces."""

import torch

REFUSED_BY = "parts of any length"
MISCONCEPTION = "0B/equal-splits"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    pieces = torch.tensor_split(torch.cat(parts), K)
    result = [None] * K
    result[r] = pieces[r]
    for s in range(1, K):
        sending = comm.isend(pieces[(r + s) % K], (r + s) % K)
        result[(r - s) % K] = comm.recv((r - s) % K)
        sending.wait()
    return result
