"""Sends the tensor in two pieces."""

import torch

REFUSED_BY = "one message a rank"
MISCONCEPTION = "0/several-messages"


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            for piece in torch.tensor_split(x, 2):
                comm.send(piece, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            x = torch.cat([comm.recv((place - distance + root) % K) for _ in range(2)])
        distance *= 2
    return x
