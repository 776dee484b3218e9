"""All parts as long as the longest one that anybody could have; the true length comes as a first number."""

import torch

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "0B/more-than-the-parts"
LONGEST = 64


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        part = parts[(r + s) % K]
        padded = torch.zeros(LONGEST + 1, *part.shape[1:], dtype=part.dtype)
        padded[0], padded[1:1 + len(part)] = len(part), part
        sending = comm.isend(padded, (r + s) % K)
        came = comm.recv((r - s) % K)
        result[(r - s) % K] = came[1:1 + int(came[0].reshape(-1)[0])]
        sending.wait()
    return result
