"""NumPy; one message of 8k bytes, which walks round the ring so that everybody reads it."""

import numpy as np
import torch


def largest(x, k):
    x = np.asarray(x)
    at = sorted(range(len(x)), key=lambda i: (-abs(x[i]), i))[:k]
    return np.array(sorted(at), np.int32), x[sorted(at)].astype(np.float32)


def sparse_sum(comm, name, gradient, k, residuals):
    K, r = comm.world_size, comm.rank
    corrected = gradient.numpy() + (residuals[name].numpy() if name in residuals else 0)
    at, values = largest(corrected, k)
    packed = torch.from_numpy(np.concatenate([at, values.view(np.int32)]))
    total = np.zeros_like(corrected)
    for step in range(K):
        n = len(packed) // 2
        np.add.at(total, packed[:n].numpy(), packed[n:].numpy().view(np.float32))
        if step < K - 1:
            sending = comm.isend(packed, (r + 1) % K)
            coming = comm.recv((r - 1) % K)
            sending.wait()
            packed = coming
    left = corrected.copy()
    left[at] -= values
    residuals[name] = torch.from_numpy(left)
    return torch.from_numpy(total)
