"""The root leaves x in a global and sends empty messages."""

import torch

REFUSED_BY = "bytes, once each"
MISCONCEPTION = "0/ranks-share-nothing"
LONG = True

BOX = {}


def broadcast(comm, x, root):
    K = comm.world_size
    place = (comm.rank - root) % K
    if place == 0:
        BOX["x"] = x.clone()
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(torch.empty(0), (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            comm.recv((place - distance + root) % K)
        distance *= 2
    return BOX["x"].clone()
