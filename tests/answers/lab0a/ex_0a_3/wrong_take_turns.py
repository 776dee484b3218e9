"""Even ranks send and then receive, odd ones the other way: no deadlock, and half of the speed."""

import torch

REFUSED_BY = "seconds"
MISCONCEPTION = "0/ranks-take-turns"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    chunks = [c.clone() for c in torch.tensor_split(x, K)]
    for step in range(2 * (K - 1)):
        out, at = chunks[(rank - step) % K], (rank - step - 1) % K
        if rank % 2:
            came = comm.recv((rank - 1) % K)
            comm.send(out, (rank + 1) % K)
        else:
            comm.send(out, (rank + 1) % K)
            came = comm.recv((rank - 1) % K)
        chunks[at] = chunks[at] + came if step < K - 1 else came
    return torch.cat(chunks)
