"""Receives before anybody sends."""

BASE = "right_two_halves"
REFUSED_BY = "losses and AUC of one process"
MISCONCEPTION = "10/everyone-receives-first"


def exchange(comm, parts, tag=0):
    came = [parts[q] if q == comm.rank else comm.recv(q, tag=tag) for q in range(comm.world_size)]
    for q in range(comm.world_size):
        if q != comm.rank:
            comm.send(parts[q].contiguous(), q, tag=tag)
    return came
