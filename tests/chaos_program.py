"""A program that ends badly more often than not. In a module of its own, so that fresh ranks import little."""

import os
import random
import signal

import torch


def chaos(comm, seed):
    """Some traffic, then perhaps an end that nobody planned. The same seed plans the same ends."""
    draw = random.Random(f"{seed}/{comm.rank}")
    for _ in range(draw.randrange(1, 4)):
        comm.barrier()
        if draw.random() < 0.3:
            raise ValueError(f"planned {seed}")
        if draw.random() < 0.3:
            os.kill(os.getpid(), signal.SIGKILL)
        if draw.random() < 0.2:
            comm.report("interrupt")
        comm.isend(torch.ones(draw.choice([3, 50_000, 400_000])), 1 - comm.rank)
        comm.empty((1000,))
        comm.recv(1 - comm.rank, timeout_s=10.0)
