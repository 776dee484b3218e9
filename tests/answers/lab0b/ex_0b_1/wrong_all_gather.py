"""Everyone gets all parts of everyone and picks."""

import torch

BASE = "right_rotated"
REFUSED_BY = "bytes on every link"
MISCONCEPTION = "0B/all-gather"


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    whole, lengths = torch.cat(parts), torch.tensor([len(part) for part in parts])
    for s in range(1, K):
        sending = [comm.isend(whole, (r + s) % K, tag=0), comm.isend(lengths, (r + s) % K, tag=1)]
        came, cut = comm.recv((r - s) % K, tag=0), comm.recv((r - s) % K, tag=1)
        result[(r - s) % K] = came.split(cut.tolist())[r]
        for work in sending:
            work.wait()
    return result
