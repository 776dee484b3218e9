"""One scratch tensor for all messages, filled again without a wait."""

import torch

REFUSED_BY = "the sum on every rank"
MISCONCEPTION = "all/isend-buffer"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    scratch = torch.zeros(len(chunks[0]) + 1)
    for step in range(2 * (K - 1)):
        out, at = chunks[(rank - step) % K], (rank - step - 1) % K
        scratch[:len(out)] = out
        comm.isend(scratch[:len(out)], (rank + 1) % K)
        scratch += 1
        came = comm.recv((rank - 1) % K)
        chunks[at] = chunks[at] + came if step < K - 1 else came
    return torch.cat(chunks)
