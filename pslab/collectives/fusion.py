"""Bucket fusion: many small tensors travel as a few large ones, so that the latency α is paid less often.

    tensors        bias 3   weight 6   bias 2   table 20   bias 2            bucket_bytes = 40 (10 float32)
    buckets        [ bias  weight ]   [ bias ] [  table  ] [ bias ]          order kept, a tensor is never cut
    messages       one all-reduce for each bucket: 4 where there were 5

A ring's all-reduce takes 2(K−1) messages a rank for a bias as for a matrix. Two buckets of n bytes take
4(K−1)(α + nβ/K), one of 2n bytes 2(K−1)(α + 2nβ/K): the bytes are the same, the latencies halved. The price: a bucket
waits for its last gradient. Buckets hold one dtype each; tensors of another dtype in between go to one of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from pslab.comm import Comm

from .all_reduce import all_reduce as any_all_reduce
from .chunks import OPS, copy_back, flat_inout

BUCKET_BYTES = 25 * 2**20        # as DistributedDataParallel's bucket_cap_mb


def plan_buckets(tensors: Sequence[torch.Tensor], bucket_bytes: int = BUCKET_BYTES) -> list[list[int]]:
    """Which tensors share a bucket: lists of their places, ascending; the buckets by their first place.

    A tensor joins the open bucket of its dtype where it still fits into bucket_bytes, and opens a new one otherwise;
    one that is larger than bucket_bytes has a bucket for itself.
    """
    if isinstance(bucket_bytes, bool) or not isinstance(bucket_bytes, int) or bucket_bytes < 1:
        raise ValueError(f"bucket_bytes={bucket_bytes!r}; a number from 1 is needed")
    buckets: list[list[int]] = []
    filling: dict[torch.dtype, tuple[list[int], int]] = {}         # the open bucket of each dtype, and its bytes
    for place, tensor in enumerate(tensors):
        size = tensor.numel() * tensor.element_size()
        bucket, filled = filling.get(tensor.dtype, (None, 0))
        if bucket is None or filled + size > bucket_bytes:
            bucket, filled = [], 0
            buckets.append(bucket)
        bucket.append(place)
        filling[tensor.dtype] = bucket, filled + size
    return buckets


def all_reduce_fused(comm: Comm, tensors: Sequence[torch.Tensor], op: str = "sum", *, bucket_bytes: int = BUCKET_BYTES,
                     all_reduce: Callable | None = None) -> int:
    """Reduce every tensor over the ranks, in place, bucket by bucket; returns the number of buckets.

    tensors      any shapes and dtypes, the same list on every rank; each tensor once
    all_reduce   all_reduce(comm, tensor), in place; None: our ring. One of a user's knows sums only

    Values are those of an all-reduce of each tensor alone: exactly, where sums do not depend on their order (K = 2,
    whole numbers, max and min); else up to rounding, because a ring sums each piece in an order of its own, and the
    pieces of a bucket are cut elsewhere.
    """
    if op not in OPS:
        raise ValueError(f"op={op!r}; allowed: {', '.join(OPS)}")
    if all_reduce is not None and op != "sum":
        raise ValueError(f"op={op!r} with an all_reduce of your own, which is asked for sums only")
    rows = [flat_inout(tensor, f"tensors[{place}]") for place, tensor in enumerate(tensors)]
    seen: dict[int, int] = {}
    for place, tensor in enumerate(tensors):
        if id(tensor) in seen:
            raise ValueError(f"tensors[{place}] is tensors[{seen[id(tensor)]}] again; each tensor is reduced once")
        seen[id(tensor)] = place
    buckets = plan_buckets([torch.as_tensor(tensor) for tensor in tensors], bucket_bytes)
    for bucket in buckets:
        parts = [torch.as_tensor(rows[place]) for place in bucket]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts)
        if all_reduce is None:
            any_all_reduce(comm, whole, op, algorithm="ring")
        else:
            all_reduce(comm, whole)
        for part, piece in zip(parts, whole.split([len(part) for part in parts])):
            if piece is not part and len(parts) > 1:
                part.copy_(piece)
        for place in bucket:
            copy_back(rows[place], tensors[place])
    return len(buckets)
