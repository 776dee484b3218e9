"""A message for every element, and an empty one that ends the part."""

import torch

REFUSED_BY = "one message a target"
MISCONCEPTION = "0B/many-messages"


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    for s in range(1, K):
        dst, src = (r + s) % K, (r - s) % K
        part = parts[dst]
        works = [comm.isend(part[i:i + 1], dst) for i in range(len(part))] + [comm.isend(part[:0], dst)]
        came = [comm.recv(src)]
        while len(came[-1]):
            came.append(comm.recv(src))
        result[src] = torch.cat(came)
        for work in works:
            work.wait()
    return result
