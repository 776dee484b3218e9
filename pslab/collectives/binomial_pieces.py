"""Scatter and gather over a binomial tree: a message carries all tensors of a subtree. K = 6, scatter from 0:

    round 0      0 ── 1 3 5 ──> 1                            rank 1 gets its own, and those of the ranks behind it
    round 1      0 ── 2 ──────> 2      1 ── 3 ──> 3          the tree of broadcast.py
    round 2      0 ── 4 ──────> 4      1 ── 5 ──> 5

⌈log2 K⌉ messages at the source instead of K−1, with the same bytes there: time ⌈log2 K⌉·α + (K−1)·n·b·β. But tensors
are forwarded, and so cross up to ⌈log2 K⌉ links. One message holds several tensors as one: all must have one shape.
Gather is the same backwards. Place p = (rank − root) mod K; behind p lie p + R, p + 2R, … with R = 2^j > p.
"""

from __future__ import annotations

import torch


def tree_scatter(comm, tensors: list[torch.Tensor] | None, src: int, tag: int) -> torch.Tensor:
    """This rank's tensor; `tensors`, on rank src only, in rank order and of one shape."""
    rank, size = comm.rank, comm.world_size
    place, reach = (rank - src) % size, 1
    while reach <= place:
        reach *= 2
    if place:
        stack = comm.recv((place - reach // 2 + src) % size, tag)
    else:
        stack = torch.stack([tensors[(src + behind) % size] for behind in range(size)])
    step = 1                                             # stack[i] is of place + i·reach
    while place + step * reach < size:
        comm.isend(stack[step::2 * step], (place + step * reach + src) % size, tag).wait()
        step *= 2
    return stack[0].clone()


def tree_gather(comm, mine: torch.Tensor, dst: int, tag: int) -> list[torch.Tensor] | None:
    """On rank dst the tensors of all ranks, in rank order."""
    rank, size = comm.rank, comm.world_size
    place, reach = (rank - dst) % size, 1
    while reach <= place:
        reach *= 2
    stack = torch.empty((len(range(place, size, reach)), *mine.shape), dtype=mine.dtype)
    stack[0] = mine
    steps = [1 << j for j in range(size.bit_length()) if place + (reach << j) < size]
    for step in reversed(steps):                         # the child with the smallest subtree first
        part = torch.empty_like(stack[step::2 * step], memory_format=torch.contiguous_format)
        stack[step::2 * step] = comm.recv((place + step * reach + dst) % size, tag, out=part)
    if place:
        comm.isend(stack, (place - reach // 2 + dst) % size, tag).wait()
        return None
    return [stack[(other - dst) % size].clone() for other in range(size)]
