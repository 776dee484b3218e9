"""A step function that calls itself; empty chunks are not sent at all."""

import torch

LONG = True


def ring_all_reduce(comm, x):
    chunks = [c.clone() for c in torch.tensor_split(x, comm.world_size)]
    turn(comm, chunks, 0)
    return torch.cat(chunks)


def turn(comm, chunks, step):
    K, rank = comm.world_size, comm.rank
    if step == 2 * (K - 1):
        return
    out, into = (rank - step) % K, (rank - step - 1) % K
    work = comm.isend(chunks[out], (rank + 1) % K) if len(chunks[out]) else None
    if len(chunks[into]):
        came = comm.recv((rank - 1) % K)
        chunks[into] = chunks[into] + came if step < K - 1 else came
    if work:
        work.wait()
    turn(comm, chunks, step + 1)
