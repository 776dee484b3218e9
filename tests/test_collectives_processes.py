"""The same collectives on real processes: the same values, the same bytes, over shared memory and over sockets."""

import numpy as np
import pytest
import torch
from collectives_oracle import (
    inputs,
    judge_all_gather,
    judge_all_reduce,
    judge_all_to_all,
    judge_broadcast,
    judge_reduce_scatter,
    pieces,
)

from pslab.collectives import all_gather, all_reduce, all_to_all, broadcast, reduce_scatter
from pslab.comm import ProcessWorld

LARGE = 300_007                # pieces of several hundred kilobytes: more than one staging slot or socket buffer holds


@pytest.fixture(scope="module", params=[(2, "shm"), (3, "shm"), (4, "shm"), (2, "tcp"), (3, "tcp"), (4, "tcp")],
                ids=lambda p: f"K={p[0]}-{p[1]}")
def world(request):
    K, transport = request.param
    with ProcessWorld(K, transport=transport) as world:
        yield world


def reduced(comm, x, op):
    all_reduce(comm, x, op)
    return x


def scattered(comm, x, op):
    return reduce_scatter(comm, x, op), x


def gathered(comm, x):
    return all_gather(comm, x), x


def cast(comm, x, src):
    broadcast(comm, x, src)
    return x


def exchanged(comm, tensors):
    return all_to_all(comm, tensors), tensors


def test_values_and_bytes_of_all_five(world):
    K = world.world_size
    for P in (0, K - 1, 101):
        judge_all_reduce(world, reduced, P, virtual=False)
        judge_reduce_scatter(world, scattered, P, virtual=False)
        judge_broadcast(world, cast, P, K - 1, virtual=False)
    judge_all_gather(world, gathered, [(7 * r + 2) % 5 for r in range(K)], virtual=False)
    judge_all_to_all(world, exchanged, [[(r + 2 * q) % 4 for q in range(K)] for r in range(K)], virtual=False)


def test_large_ones(world):
    """In float64, where sums of numbers up to K·LARGE stay exact."""
    K, f8 = world.world_size, np.float64
    judge_all_reduce(world, reduced, LARGE, "sum", f8, virtual=False)
    judge_all_reduce(world, reduced, LARGE, "max", f8, virtual=False)
    judge_reduce_scatter(world, scattered, LARGE, "mean", f8, virtual=False)
    judge_broadcast(world, cast, LARGE, 1, f8, virtual=False)
    judge_all_gather(world, gathered, [LARGE // (r + 1) for r in range(K)], f8, virtual=False)
    judge_all_to_all(world, exchanged, [[LARGE // (r + q + 1) for q in range(K)] for r in range(K)], f8, virtual=False)


def large_tensor(comm, P, op, kit, dtype):
    """Everything in the rank, so that tests of kit memory and of dtypes need not carry tensors around."""
    x = comm.empty(P, dtype) if kit else torch.empty(P, dtype=dtype)
    place = torch.arange(P) % 61
    x.copy_(place + comm.rank)
    all_reduce(comm, x, op)
    K = comm.world_size
    wide = place.double()
    expected = {"sum": wide * K + K * (K - 1) / 2, "max": wide + K - 1, "min": wide,
                "mean": wide + (K - 1) / 2}[op]
    return bool((x.double() == expected).all())


@pytest.mark.parametrize("kit", [False, True], ids=["ordinary", "kit memory"])
@pytest.mark.parametrize(("dtype", "op"), [(torch.float32, "sum"), (torch.bfloat16, "max"), (torch.int32, "sum"),
                                           (torch.float16, "min"), (torch.float64, "mean")], ids=str)
def test_large_tensors_of_either_memory(world, kit, dtype, op):
    run = world.run(large_tensor, LARGE, op, kit, dtype)
    assert all(run.results)
    assert run.ledger.total() == 2 * (world.world_size - 1) * LARGE * dtype.itemsize


def test_equal_bits_on_all_ranks_and_as_in_the_simulator(world):
    """One order of summation everywhere: the world changes nothing, not even the last bit."""
    from pslab.comm import SimWorld
    K = world.world_size
    g = torch.Generator().manual_seed(5)
    given = [(torch.randn(40_001, generator=g), "sum") for _ in range(K)]
    results = world.run(reduced, per_rank=given).results
    expected = SimWorld(K).run(reduced, per_rank=[(x.clone(), op) for x, op in given]).results[0]
    for rank, result in enumerate(results):
        assert torch.equal(result, expected), f"rank {rank}"


def test_the_simulator_counts_the_same_bytes(world):
    from pslab.comm import SimWorld
    K = world.world_size
    per_rank = [(x, "sum") for x in inputs(K, 103)]
    real = world.run(reduced, per_rank=per_rank).ledger
    virtual = SimWorld(K).run(reduced, per_rank=per_rank).ledger
    np.testing.assert_array_equal(real.counts, virtual.counts)
    np.testing.assert_array_equal(real.sent, virtual.sent)


def test_groups_of_split(world):
    def program(comm):
        group = comm.split(comm.rank % 2)
        x = torch.full((1001,), float(comm.rank))
        all_reduce(group, x)
        return [x[0].item(), x[-1].item(), torch.cat(all_gather(group, x[:1])).tolist()]

    K = world.world_size
    for rank, (first, last, all_sums) in enumerate(world.run(program).results):
        mine = list(range(rank % 2, K, 2))
        assert first == last == sum(mine)
        assert all_sums == [sum(mine)] * len(mine)


def test_different_lengths_or_dtypes_are_refused_and_the_world_stays_usable(world):
    def program(comm, x):
        all_reduce(comm, x)

    K = world.world_size
    for odd in (torch.ones(5), torch.ones(LARGE), torch.ones(4, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"ranks disagree: collective call 1 of ranks 0[-,] ?\d is not the same"):
            world.run(program, per_rank=[(torch.ones(4),)] * (K - 1) + [(odd,)])
    judge_all_reduce(world, reduced, 5, virtual=False)


def test_many_calls_in_a_row(world):
    """Slots, credits and buffers are reused between calls: nothing of one call may show in the next."""
    def program(comm, P, calls):
        x = torch.empty(P)
        wrong = 0
        for call in range(calls):
            x.copy_(torch.arange(P) % 13 + comm.rank * (call + 1))
            all_reduce(comm, x)
            K = comm.world_size
            wrong += not torch.equal(x, (torch.arange(P) % 13).float() * K + (call + 1) * K * (K - 1) / 2)
        return wrong

    K = world.world_size
    for P, calls in ((3, 100), (30_000, 20)):
        run = world.run(program, P, calls)
        assert run.results == [0] * K
        n = pieces(P, K)
        for r in range(K):
            assert run.ledger.link(r, (r + 1) % K) == calls * 4 * (2 * P - n[r] - n[(r + 1) % K])
