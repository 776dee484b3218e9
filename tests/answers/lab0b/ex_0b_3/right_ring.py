"""Sum round the given ring, then divide."""

import torch

LONG = True


def ring_all_reduce(comm, x):
    """A new tensor: the sum over all ranks of the 1-dimensional x."""
    K, r = comm.world_size, comm.rank
    right, left = (r + 1) % K, (r - 1) % K
    chunks = list(torch.tensor_split(x.clone(), K))
    for t in range(K - 1):
        sending = comm.isend(chunks[(r - t) % K], right)
        chunks[(r - t - 1) % K] += comm.recv(left)
        sending.wait()
    for t in range(K - 1):
        sending = comm.isend(chunks[(r + 1 - t) % K], right)
        chunks[(r - t) % K].copy_(comm.recv(left))
        sending.wait()
    return torch.cat(chunks)


def in_an_envelope(tensor):
    future = torch.futures.Future()
    future.set_result(tensor)
    return future


def ring_hook(comm, bucket):
    return in_an_envelope(ring_all_reduce(comm, bucket.buffer()) / comm.world_size)
