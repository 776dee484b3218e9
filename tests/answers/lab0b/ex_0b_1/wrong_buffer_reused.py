"""One buffer for all parts, filled anew before the message has left."""

import torch

REFUSED_BY = "equal parts"
MISCONCEPTION = "all/isend-buffer"


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    buffer = torch.zeros(max(len(part) for part in parts), *parts[0].shape[1:], dtype=parts[0].dtype)
    works = []
    for s in range(1, K):
        part = parts[(r + s) % K]
        buffer[:len(part)] = part
        works.append(comm.isend(buffer[:len(part)], (r + s) % K))
    for s in range(1, K):
        result[(r - s) % K] = comm.recv((r - s) % K)
    for work in works:
        work.wait()
    return result
