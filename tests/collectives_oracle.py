"""Judges of a collective: values, inputs, bytes on every link, neighbours, virtual time, each against a closed form.

Rank r brings element j = j·K + r: every number names its rank and its place, so that no swapped piece, no forgotten
rank and no rank counted twice can give the right sum. All numbers are whole and small: sums are exact in any order.
A judge runs `program` in a world and raises AssertionError; `test_collectives_oracle.py` shows what each refuses.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from pslab.comm import Link

LINK = Link(latency_s=1e-3, bandwidth_Bps=1e5)           # in the simulator: both α and bytes weigh in the time
NUMPY_OP = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod, "mean": np.mean}


def inputs(K: int, P: int, dtype=np.float32) -> list[np.ndarray]:
    """Element j of rank r is j·K + r."""
    return [(np.arange(P) * K + r).astype(dtype) for r in range(K)]


def pieces(P: int, K: int) -> list[int]:
    """Sizes of the pieces of tensor_split."""
    return [len(piece) for piece in np.array_split(np.arange(P), K)]


def expect_links(ledger, links: dict[tuple[int, int], int]) -> None:
    """Exactly these bytes on these links, and not one byte or message on any other."""
    K = ledger.world_size
    for src in range(K):
        for dst in range(K):
            seen, right = ledger.link(src, dst), links.get((src, dst), 0)
            assert seen == right, f"link {src} -> {dst} carried {seen} bytes, expected {right}"
            if (src, dst) not in links:
                assert ledger.messages(src, dst) == 0, f"link {src} -> {dst} carried messages, expected none"
    assert ledger.total() == ledger.total("vals") == sum(links.values())
    for rank in range(K):
        out = sum(n for (src, _), n in links.items() if src == rank)
        into = sum(n for (_, dst), n in links.items() if dst == rank)
        assert ledger.port(rank) == (out, into)


def expect_seconds(run, expected: float, rel: float = 1e-9) -> None:
    assert math.isclose(run.seconds, expected, rel_tol=rel), f"took {run.seconds} s, expected {expected} s"


def ring_links(K: int, missing: list[int]) -> dict[tuple[int, int], int]:
    """Each rank sends to its right neighbour everything but `missing[rank]`; values are bytes."""
    return {} if K == 1 else {(r, (r + 1) % K): missing[r] for r in range(K)}


def as_numpy(x) -> np.ndarray:
    return x.numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def judge_all_reduce(world, program, P: int, op: str = "sum", dtype=np.float32, virtual: bool = True):
    """`program(comm, x, op)` reduces x in place and returns it."""
    K, b = world.world_size, np.dtype(dtype).itemsize
    given = inputs(K, P, dtype)
    run = world.run(program, per_rank=[(x.copy(), op) for x in given])
    expected = NUMPY_OP[op](np.stack(given), axis=0).astype(dtype)
    for rank, result in enumerate(run.results):
        np.testing.assert_array_equal(as_numpy(result), expected, err_msg=f"rank {rank}")
    n = pieces(P, K)
    expect_links(run.ledger, ring_links(K, [b * (2 * P - n[r] - n[(r + 1) % K]) for r in range(K)]))
    assert run.ledger.total() == 2 * (K - 1) * P * b
    if virtual:
        expect_seconds(run, 2 * (K - 1) * (LINK.latency_s + b * math.ceil(P / K) / LINK.bandwidth_Bps))
    return run


def judge_reduce_scatter(world, program, P: int, op: str = "sum", dtype=np.float32, virtual: bool = True):
    """`program(comm, x, op)` returns (own piece, x)."""
    K, b = world.world_size, np.dtype(dtype).itemsize
    given = inputs(K, P, dtype)
    run = world.run(program, per_rank=[(x.copy(), op) for x in given])
    expected = np.array_split(NUMPY_OP[op](np.stack(given), axis=0).astype(dtype), K)
    for rank, (mine, x) in enumerate(run.results):
        np.testing.assert_array_equal(as_numpy(mine), expected[rank], err_msg=f"rank {rank}")
        np.testing.assert_array_equal(as_numpy(x), given[rank], err_msg=f"input of rank {rank}")
    n = pieces(P, K)
    expect_links(run.ledger, ring_links(K, [b * (P - n[r]) for r in range(K)]))
    if virtual:
        expect_seconds(run, (K - 1) * (LINK.latency_s + b * math.ceil(P / K) / LINK.bandwidth_Bps))
    return run


def judge_all_gather(world, program, sizes: list[int], dtype=np.float32, virtual: bool = True):
    """`program(comm, x)` returns (list of K tensors, x). Rank r brings sizes[r] elements."""
    K, b = world.world_size, np.dtype(dtype).itemsize
    given = [x[:size] for x, size in zip(inputs(K, max(sizes, default=0), dtype), sizes)]
    run = world.run(program, per_rank=[(x.copy(),) for x in given])
    for rank, (gathered, x) in enumerate(run.results):
        assert len(gathered) == K
        for r in range(K):
            np.testing.assert_array_equal(as_numpy(gathered[r]), given[r], err_msg=f"piece {r} on rank {rank}")
        np.testing.assert_array_equal(as_numpy(x), given[rank], err_msg=f"input of rank {rank}")
    expect_links(run.ledger, ring_links(K, [b * (sum(sizes) - sizes[(r + 1) % K]) for r in range(K)]))
    if virtual:
        expect_seconds(run, (K - 1) * (LINK.latency_s + b * max(sizes) / LINK.bandwidth_Bps))
    return run


def judge_broadcast(world, program, P: int, src: int, dtype=np.float32, virtual: bool = True):
    """`program(comm, x, src)` broadcasts in place and returns x."""
    K, b = world.world_size, np.dtype(dtype).itemsize
    given = inputs(K, P, dtype)
    run = world.run(program, per_rank=[(x.copy(), src) for x in given])
    for rank, result in enumerate(run.results):
        np.testing.assert_array_equal(as_numpy(result), given[src], err_msg=f"rank {rank}")
    tree, know = {}, [src]                               # the tree, told independently: who knows tells one more
    while len(know) < K:
        told = [(rank + len(know)) % K for rank in know][:K - len(know)]
        tree |= {(teller, hearer): P * b for teller, hearer in zip(know, told)}
        know += told
    expect_links(run.ledger, tree)
    assert run.ledger.total() == (K - 1) * P * b
    if virtual:
        bound = math.ceil(math.log2(K)) * (LINK.latency_s + b * P / LINK.bandwidth_Bps)
        if K & (K - 1) == 0:
            expect_seconds(run, bound)
        assert run.seconds <= bound * (1 + 1e-9), f"took {run.seconds} s; {bound} s suffice"
    return run


def judge_all_to_all(world, program, sizes: list[list[int]], dtype=np.float32, virtual: bool = True):
    """`program(comm, tensors)` returns (received, tensors). Rank r brings sizes[r][q] elements for rank q."""
    K, b = world.world_size, np.dtype(dtype).itemsize
    given = [[(np.arange(sizes[r][q]) * K * K + r * K + q).astype(dtype) for q in range(K)] for r in range(K)]
    run = world.run(program, per_rank=[([x.copy() for x in row],) for row in given])
    for rank, (received, tensors) in enumerate(run.results):
        assert len(received) == K
        for r in range(K):
            np.testing.assert_array_equal(as_numpy(received[r]), given[r][rank], err_msg=f"from {r} on rank {rank}")
            np.testing.assert_array_equal(as_numpy(tensors[r]), given[rank][r], err_msg=f"input {r} of rank {rank}")
    expect_links(run.ledger, {(r, q): b * sizes[r][q] for r in range(K) for q in range(K) if r != q})
    if virtual and len({n for row in sizes for n in row}) == 1:
        expect_seconds(run, (K - 1) * (LINK.latency_s + b * sizes[0][0] / LINK.bandwidth_Bps))
    return run
