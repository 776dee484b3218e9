"""Gradients on their way while backward still computes: the all-reduce in buckets, begun as soon as one is complete.

    parameters     bottom.0   bottom.2   top.0   top.2          as they lie in the flat vector
    backward                                     top.2 ──┐      the last layer's gradients are ready first
                                         top.0 ──────────┼──> bucket 0 ──ring────────┐
                              bottom.2 ──┐               │                           │ in the background, one after
                   bottom.0 ─────────────┴──> bucket 1 ──┴──────────────ring─────────┤ the other
    after                                                                         finish

    one after the other    c + m       with c seconds of backward and m of rings
    overlapped             max(c, m) + what the first bucket waits for, or the last one travels

Buckets are stretches of the flat vector, cut between parameters, from the end. A bucket begins when its gradients are
there *and* all buckets before it have begun: so the order is the same on every rank, also where a worker's batch has
no rows. Sums are those of the same buckets, reduced after backward, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pslab.collectives import all_reduce
from pslab.comm import Comm

PIPELINED_BUCKET_BYTES = 1 << 20


class Buckets:
    """The gradients `grads` (P,) of `parameters`, as they lie in a Flat, summed over comm in `parts`.

    bucket_bytes: the most that a bucket holds, a larger parameter aside, which has one for itself. None: all in one
    bucket, or of 1 MiB where pipelined. Where they are equal, so are all sums to the last bit; with K <= 2 always.
    behind: other buckets of the same comm, all of which begin before the first of these.
    """

    def __init__(self, comm: Comm, parameters: Sequence[torch.nn.Parameter], grads: torch.Tensor,
                 bucket_bytes: int | None, pipelined: bool, behind: Buckets | None = None):
        self.comm, self.pipelined, self._behind, self._next = comm, pipelined, behind, None
        if behind is not None:
            behind._next = self
        sizes = [parameter.numel() for parameter in parameters]
        stretches, members = bucket_stretches(sizes, bucket_limit(bucket_bytes, pipelined))
        self.parts = [grads[stretch] for stretch in stretches]
        self._sizes = [len(of_bucket) for of_bucket in members]
        self._works: list = []
        self._missing = list(self._sizes)
        if pipelined:
            for bucket, of_bucket in enumerate(members):
                for place in of_bucket:
                    parameters[place].register_post_accumulate_grad_hook(self._hook(bucket))

    def begin(self) -> None:
        """A new step: no gradient is there yet."""
        self._missing, self._works = list(self._sizes), []

    def finish(self) -> None:
        """Begin what backward had no gradient for, and wait for all of it."""
        self._missing = [0] * len(self._sizes)
        self._start_ready()
        for work in self._works:
            work.wait()

    def _hook(self, bucket: int):
        def ready(_) -> None:
            self._missing[bucket] -= 1
            if not self._missing[bucket]:
                self._start_ready()
        return ready

    def _start_ready(self) -> None:
        if self._behind is not None and not self._behind._all_begun:
            return
        while not self._all_begun and not self._missing[len(self._works)]:
            self._works.append(all_reduce(self.comm, self.parts[len(self._works)], async_op=True))
        if self._next is not None and self._all_begun:
            self._next._start_ready()

    @property
    def _all_begun(self) -> bool:
        return len(self._works) == len(self.parts)


def bucket_stretches(sizes: Sequence[int], bucket_bytes: int | None) -> tuple[list[slice], list[list[int]]]:
    """(stretches of the flat vector, the parameters in each), last parameters first; sizes in float32 numbers."""
    stretches: list[slice] = []
    members: list[list[int]] = []
    end = sum(sizes)
    for place in reversed(range(len(sizes))):
        first = end - sizes[place]
        if stretches and (bucket_bytes is None or 4 * (stretches[-1].stop - first) <= bucket_bytes):
            stretches[-1] = slice(first, stretches[-1].stop)
            members[-1].append(place)
        else:
            stretches.append(slice(first, end))
            members.append([place])
        end = first
    return stretches, members


def bucket_limit(bucket_bytes: int | None, pipelined: bool) -> int | None:
    """The most bytes of a bucket, for what a Trainer was told; None: no limit."""
    return PIPELINED_BUCKET_BYTES if bucket_bytes is None and pipelined else bucket_bytes


def check_bucket_bytes(bucket_bytes: int | None) -> None:
    """ValueError unless it is a number from 1, or None."""
    if bucket_bytes is not None and (isinstance(bucket_bytes, bool) or not isinstance(bucket_bytes, int) or
                                     bucket_bytes < 1):
        raise ValueError(f"bucket_bytes={bucket_bytes!r}; a number from 1, or None, is needed")
