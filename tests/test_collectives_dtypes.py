"""All-reduce of every dtype that torch reduces, by every algorithm and op: layouts, lengths, groups; and beside Gloo.

Numbers are drawn whole and small: sums and products are exact in every dtype, or wrap round as they must.
"""

import os

import pytest
import torch

from pslab.collectives import all_reduce
from pslab.comm import ProcessWorld, SimWorld

DTYPES = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
          torch.float32, torch.float64, torch.complex64, torch.complex128)
ALGORITHMS = {"ring": {}, "chunked_ring": {"chunks": 3}, "binomial": {}, "halving_doubling": {},
              "recursive_doubling": {}, "hierarchical": {"groups": 2}}
OPS = ("sum", "mean", "max", "min", "prod")
K = 5


def refused(op, dtype):
    whole = not (dtype.is_floating_point or dtype.is_complex)
    return (op == "mean" and whole) or (op in ("max", "min") and dtype.is_complex)


def drawn(rank, P, dtype):
    """Element j of rank r names both, is never the same for all ranks, and keeps products below 2¹¹."""
    j = torch.arange(P)
    return ((j + rank * (j // 3 + 1)) % 4 + (j % 2) * (rank % 2)).clamp(max=4).to(dtype)


def expected(op, given, dtype):
    """By torch, in a wide dtype, wrapped or rounded once."""
    if dtype is torch.bool:
        return torch.stack(given).all(0) if op in ("min", "prod") else torch.stack(given).any(0)
    wide = torch.stack(given).to(torch.complex128 if dtype.is_complex else
                                 torch.float64 if dtype.is_floating_point else torch.int64)
    result = {"sum": lambda: wide.sum(0), "mean": lambda: wide.sum(0), "prod": lambda: wide.prod(0),
              "max": lambda: wide.amax(0), "min": lambda: wide.amin(0)}[op]().to(dtype)
    return result / len(given) if op == "mean" else result


def program(comm, dtype, op, algorithm):
    """All lengths, then layouts on the two groups of a split; the elements between those of a stride must stay."""
    options, results = {"algorithm": algorithm, **ALGORITHMS[algorithm]}, []
    for P in (0, 1, comm.world_size - 1, 11):
        x = drawn(comm.rank, P, dtype)
        all_reduce(comm, x, op, **options)
        results.append(x)
    group = comm.split(comm.rank % 2, key=-comm.rank)
    base = drawn(comm.rank, 24, dtype).reshape(4, 6)
    for view in (base[:, ::2], base.t()[1::2]):
        all_reduce(group, view, op, **options)
    return [*results, base]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_op_layout_length_and_group(algorithm, dtype):
    for op in OPS:
        world = SimWorld(K, trace=False)
        if refused(op, dtype):
            with pytest.raises(ValueError, match=f"op='{op}' on "):
                world.run(program, dtype, op, algorithm)
            continue
        for rank, results in enumerate(world.run(program, dtype, op, algorithm).results):
            for P, seen in zip((0, 1, K - 1, 11), results):
                assert seen.dtype is dtype
                right = expected(op, [drawn(r, P, dtype) for r in range(K)], dtype)
                assert torch.equal(seen, right), f"{op} of {P} elements"
            members = [drawn(r, 24, dtype).reshape(4, 6) for r in range(rank % 2, K, 2)]
            total = expected(op, members, dtype)
            assert torch.equal(results[-1][:, ::2], total[:, ::2])
            assert torch.equal(results[-1][:, 1::2], total[:, 1::2])


def beside_gloo(comm, path):
    """[dtype, op, what Gloo said, ours is equal]: the same numbers through both, in the same processes."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    import torch.distributed as dist

    ops = {"sum": dist.ReduceOp.SUM, "prod": dist.ReduceOp.PRODUCT, "max": dist.ReduceOp.MAX, "min": dist.ReduceOp.MIN}
    dist.init_process_group("gloo", store=dist.FileStore(path, comm.world_size), rank=comm.rank,
                            world_size=comm.world_size)
    rows = []
    try:
        for dtype in DTYPES:
            for op in ops:
                x = torch.tensor([0, 1, 0, 1, 3, 120, 7, 200, -5]).roll(comm.rank)
                x = (x.clamp(min=0) if dtype is torch.uint8 else x).to(dtype)
                theirs, said = x.clone(), ""
                try:
                    dist.all_reduce(theirs, ops[op])
                except (RuntimeError, ValueError) as error:
                    said = str(error)
                if not said:
                    for algorithm, options in ALGORITHMS.items():
                        ours = x.clone()
                        all_reduce(comm, ours, op, algorithm=algorithm, **options)
                        rows.append([str(dtype), op, algorithm, torch.equal(ours, theirs)])
    finally:
        dist.destroy_process_group()
    return rows


def test_whatever_gloo_reduces_is_reduced_alike(tmp_path):
    """bool and integers that wrap round too. (Gloo itself has no int16, and of complex numbers sums alone.)"""
    with ProcessWorld(2) as world:
        for rows in world.run(beside_gloo, str(tmp_path / "store")).results:
            assert [row for row in rows if not row[3]] == []
            assert {(dtype, op) for dtype, op, _, _ in rows} >= {
                (str(dtype), op) for dtype in DTYPES if not dtype.is_complex and dtype is not torch.int16
                for op in ("sum", "prod", "max", "min")} | {("torch.complex64", "sum"), ("torch.complex128", "sum")}
