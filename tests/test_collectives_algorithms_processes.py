"""Every algorithm and pattern on real processes: the same bits, bytes and messages as in the simulator."""

import os

import numpy as np
import pytest
import torch

from pslab.collectives import all_reduce, barrier, gather, reduce, scatter
from pslab.comm import ProcessWorld, RankDied, SimWorld

ALGORITHMS = {"ring": {}, "chunked_ring": {"chunks": 3}, "binomial": {}, "halving_doubling": {},
              "recursive_doubling": {}, "hierarchical": {"groups": 2}}
LARGE = 100_003                # 400 KB: pieces of it go through shared memory, or fill a socket


@pytest.fixture(scope="module", params=[(3, "tcp"), (4, "shm")], ids=lambda p: f"K={p[0]}-{p[1]}")
def world(request):
    K, transport = request.param
    with ProcessWorld(K, transport=transport) as world:
        yield world


def everything(comm, P, dtype, seed):
    """All of it in one run; drawn in the rank, so that nothing is carried around."""
    K, rank = comm.world_size, comm.rank
    draw = torch.Generator().manual_seed(seed * 10 + rank)

    def numbers(n=P):
        return (torch.randn(n, generator=draw) * 8).to(dtype)

    results = []
    for algorithm, options in ALGORITHMS.items():
        for op in ("sum", "max") if not dtype.is_floating_point else ("sum", "mean"):
            x = numbers()
            all_reduce(comm, x, op, algorithm=algorithm, **options)
            results.append(x)
    for root in (0, K - 1):
        x = numbers()
        reduce(comm, x, root, "sum")
        results.append(x)
        mine = scatter(comm, [numbers(P // (r + 1)) for r in range(K)] if rank == root else None, root)
        results.append(mine)
        results += gather(comm, mine[:len(mine) // 2], root) or []
    barrier(comm)
    kit = comm.empty(P, dtype)                           # memory that is sent from without staging
    for algorithm, options in ALGORITHMS.items():
        kit.copy_(numbers())
        all_reduce(comm, kit, algorithm=algorithm, **options)
        results.append(kit.clone())
    wide = numbers(2 * P)
    all_reduce(comm, wide[::2], algorithm="halving_doubling")
    group = comm.split(rank % 2)
    all_reduce(group, wide[1::2], algorithm="binomial")
    return [*results, wide]


@pytest.mark.parametrize(("P", "dtype"), [(2, torch.bfloat16), (1001, torch.int64), (LARGE, torch.float32)],
                         ids=str)
def test_same_bits_bytes_and_messages_as_in_the_simulator(world, P, dtype):
    real = world.run(everything, P, dtype, 3)
    virtual = SimWorld(world.world_size).run(everything, P, dtype, 3)
    for rank, (mine, expected) in enumerate(zip(real.results, virtual.results)):
        assert len(mine) == len(expected)
        for i, (one, other) in enumerate(zip(mine, expected)):
            assert one.dtype is other.dtype is dtype
            assert torch.equal(one, other), f"result {i} of rank {rank}"
    np.testing.assert_array_equal(real.ledger.counts, virtual.ledger.counts)
    np.testing.assert_array_equal(real.ledger.sent, virtual.ledger.sent)


def test_many_calls_in_a_row(world):
    """Slots, credits and the order of messages of one call must not show in the next."""
    def program(comm, P, calls):
        K, wrong = comm.world_size, 0
        for call in range(calls):
            for algorithm, options in ALGORITHMS.items():
                x = torch.arange(P) % 13 + comm.rank * (call + 1)
                all_reduce(comm, x, algorithm=algorithm, **options)
                wrong += not torch.equal(x, torch.arange(P) % 13 * K + (call + 1) * K * (K - 1) // 2)
        return wrong

    for P, calls in ((3, 20), (30_000, 2)):
        assert world.run(program, P, calls).results == [0] * world.world_size


def test_different_lengths_are_refused_a_death_is_told_and_the_world_heals():
    def program(comm, P, dies, algorithm):
        if dies and comm.rank == comm.world_size - 1:
            os._exit(3)
        all_reduce(comm, torch.ones(P), algorithm=algorithm, **ALGORITHMS[algorithm])
        return True

    with ProcessWorld(3, transport="shm") as world:
        for algorithm in ("chunked_ring", "halving_doubling"):
            with pytest.raises(ValueError, match="ranks disagree: collective call 1 of ranks 0-2"):
                world.run(program, per_rank=[(12, False, algorithm)] * 2 + [(24, False, algorithm)])
            with pytest.raises(RankDied, match="rank 2"):
                world.run(program, 12, True, algorithm)
            assert world.run(program, 12, False, algorithm).results == [True] * 3


def test_leaders_pass_on_in_shared_memory(world):
    """Three leaders or more: their ring relays, and grows its sums in kit memory, as the ring of all ranks does."""
    def program(comm):
        x = torch.arange(LARGE).double() * comm.world_size + comm.rank
        all_reduce(comm, x, algorithm="hierarchical", groups=1)
        return x

    K = world.world_size
    for x in world.run(program).results:
        assert torch.equal(x, torch.arange(LARGE).double() * K * K + K * (K - 1) / 2)
