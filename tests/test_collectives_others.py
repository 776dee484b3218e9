"""broadcast, reduce_scatter, all_gather and all_to_all in the simulator: values, bytes per link, time, inputs kept."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from collectives_oracle import (
    LINK,
    as_numpy,
    inputs,
    judge_all_gather,
    judge_all_to_all,
    judge_broadcast,
    judge_reduce_scatter,
)

from pslab import cost
from pslab.collectives import all_gather, all_reduce, all_to_all, broadcast, reduce_scatter
from pslab.comm import SimWorld

KS = (1, 2, 3, 5, 7)


def scatter(comm, x, op):
    return reduce_scatter(comm, x, op), x


def gather(comm, x):
    return all_gather(comm, x), x


def cast(comm, x, src):
    assert broadcast(comm, x, src) is None
    return x


def exchange(comm, tensors):
    return all_to_all(comm, tensors), tensors


def ports(run, K):
    return [run.ledger.port(r) for r in range(K)]


def cost_ports(traffic):
    return [(port.out_bytes, port.in_bytes) for port in traffic.ports]


@pytest.mark.parametrize("K", KS)
def test_reduce_scatter(K):
    for P in sorted({0, K - 1, K, 3 * K + 2, 1000}):
        run = judge_reduce_scatter(SimWorld(K, link=LINK), scatter, P)
        assert ports(run, K) == cost_ports(cost.ring_reduce_scatter(P, K, 4))


@pytest.mark.parametrize("op", ["sum", "max", "min", "prod", "mean"])
def test_reduce_scatter_every_op(op):
    judge_reduce_scatter(SimWorld(3, link=LINK), scatter, 8, op, np.float64)


def test_reduce_scatter_pieces_are_those_of_tensor_split_of_the_flat_tensor():
    run = SimWorld(3).run(scatter, torch.arange(20.0).reshape(4, 5).t(), "sum")
    expected = torch.tensor_split(3 * torch.arange(20.0).reshape(4, 5).t().reshape(-1), 3)
    for (mine, _), piece in zip(run.results, expected):
        assert torch.equal(mine, piece)


def test_reduce_scatter_does_not_keep_the_other_pieces_alive():
    tracemalloc.start()
    try:
        run = SimWorld(4, trace=False).run(lambda comm: reduce_scatter(comm, np.ones(1 << 20, np.float32)))
        gc.collect()                                     # the world's own records of the run
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(piece) for piece in run.results] == [1 << 18] * 4
    assert held < 2 * 4 * (1 << 20), "four pieces of 1 MB, not four tensors of 4 MB"


@pytest.mark.parametrize("K", KS)
def test_all_gather_of_equal_and_of_ragged_pieces(K):
    for sizes in ([4] * K, [0] * K, [(3 * r + 1) % 5 for r in range(K)], [0] * (K - 1) + [9]):
        run = judge_all_gather(SimWorld(K, link=LINK), gather, sizes, virtual=len(set(sizes)) == 1)
        assert ports(run, K) == cost_ports(cost.ring_all_gather([4 * n for n in sizes]))


def test_all_gather_keeps_shapes_and_gives_everyone_memory_of_their_own():
    def program(comm, x):
        pieces = all_gather(comm, x)
        for piece in pieces:
            piece += 1                                   # neither the input nor another rank's copy may feel it
        return pieces, x

    shapes = [(2, 3), (), (0, 4), (5,)]
    given = [torch.arange(float(np.prod(shape))).reshape(shape) * 10 + r for r, shape in enumerate(shapes)]
    given[0] = given[0].t()
    for rank, (pieces, x) in enumerate(SimWorld(4).run(program, per_rank=[(x.clone(),) for x in given]).results):
        assert torch.equal(x, given[rank])
        for piece, original in zip(pieces, given):
            assert piece.shape == original.shape
            assert torch.equal(piece, original + 1)


@pytest.mark.parametrize("K", [*KS, 4, 6, 8, 9])
def test_broadcast_from_every_rank(K):
    for src in range(K):
        run = judge_broadcast(SimWorld(K, link=LINK), cast, 11, src)
        assert ports(run, K) == cost_ports(cost.broadcast(44, K, src))
    judge_broadcast(SimWorld(K, link=LINK), cast, 0, K - 1)


def test_broadcast_in_rounds_when_messages_cost_overhead_only():
    """With all of α spent at the ports, a rank's sends cannot overlap: ⌈log2 K⌉ rounds to the nanosecond."""
    from pslab.comm import Link
    for K, rounds in ((2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (64, 6)):
        run = SimWorld(K, link=Link(0.0, 1e-3, 1e9)).run(cast, np.zeros(0, np.float32), 0)
        assert run.seconds == pytest.approx(rounds * 1e-3, rel=1e-9)


def test_broadcast_into_strided_and_from_read_only():
    def program(comm, src):
        if comm.rank == src:
            x = np.arange(6.0)
            x.flags.writeable = False
            broadcast(comm, x, src)
            return x
        base = np.full(12, -1.0)
        broadcast(comm, base[::2], src)
        assert (base[1::2] == -1).all()
        return base[::2].copy()

    for result in SimWorld(3).run(program, 1).results:
        assert as_numpy(result).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("K", KS)
def test_all_to_all_even_and_uneven(K):
    for sizes in ([[3] * K] * K, [[0] * K] * K, [[(r + 2 * q) % 4 for q in range(K)] for r in range(K)]):
        run = judge_all_to_all(SimWorld(K, link=LINK), exchange, sizes)
        assert ports(run, K) == cost_ports(cost.all_to_all([[4 * n for n in row] for row in sizes]))


def test_all_to_all_keeps_shapes_and_copies_its_own():
    def program(comm):
        mine = [torch.full((q + 1, comm.rank + 1), 10.0 * comm.rank + q) for q in range(comm.world_size)]
        received = all_to_all(comm, mine)
        received[comm.rank] += 1
        assert mine[comm.rank][0, 0] == 11 * comm.rank, "the own entry must be a copy"
        return received

    for rank, received in enumerate(SimWorld(3).run(program).results):
        for r, tensor in enumerate(received):
            assert torch.equal(tensor, torch.full((rank + 1, r + 1), 10.0 * r + rank + (r == rank)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.int64, torch.complex64, torch.uint16], ids=str)
def test_other_dtypes_travel_everywhere(dtype):
    def program(comm, x):
        mine = (x + comm.rank).to(dtype) if dtype is not torch.bool else x == comm.rank
        gathered = all_gather(comm, mine)
        exchanged = all_to_all(comm, [mine] * comm.world_size)
        broadcast(comm, mine, 1)
        return gathered, exchanged, mine, reduce_scatter(comm, mine, "max" if not dtype.is_complex else "prod")

    K, x = 3, torch.arange(5)
    expected = [(x + r).to(dtype) if dtype is not torch.bool else x == r for r in range(K)]
    for rank, (gathered, exchanged, mine, piece) in enumerate(SimWorld(K).run(program, x).results):
        for tensors in (gathered, exchanged):
            assert all(torch.equal(a, b) and a.dtype is dtype for a, b in zip(tensors, expected))
        assert torch.equal(mine, expected[1])
        full = expected[1] if not dtype.is_complex else expected[1] ** 3
        torch.testing.assert_close(piece, torch.tensor_split(full, K)[rank])


def test_groups_of_split_count_their_own_ranks():
    def program(comm):
        group = comm.split(0 if comm.rank < 3 else 1)
        x = torch.tensor([float(comm.rank)])
        pieces = all_gather(group, x)
        exchanged = all_to_all(group, [x + 100 * q for q in range(group.world_size)])
        broadcast(group, x, group.world_size - 1)
        return torch.cat(pieces).tolist(), torch.cat(exchanged).tolist(), x.item()

    for rank, (pieces, exchanged, x) in enumerate(SimWorld(5).run(program).results):
        members = [0.0, 1.0, 2.0] if rank < 3 else [3.0, 4.0]
        assert pieces == members
        assert exchanged == [m + 100 * members.index(rank) for m in members]
        assert x == members[-1]


def test_inputs_of_one_rank_do_not_leak_into_another_call():
    """Three collectives in a row, each with the output of the one before: order of messages is kept."""
    def program(comm, x):
        piece = reduce_scatter(comm, x)
        whole = torch.cat(all_gather(comm, piece))
        broadcast(comm, whole, 2)
        return whole

    given = inputs(3, 8)
    for whole in SimWorld(3).run(program, per_rank=[(x,) for x in given]).results:
        np.testing.assert_array_equal(as_numpy(whole), sum(given))


class WatchedWork:
    def __init__(self, watched, work):
        self.watched, self.work = watched, work

    def wait(self):
        self.watched.open -= 1
        self.work.wait()


class Watched:
    """A comm that remembers its works: whoever leaves one without `wait` gives memory back that is still being read."""

    def __init__(self, comm):
        self.rank, self.world_size, self._comm, self.open = comm.rank, comm.world_size, comm, 0
        self.shares_memory, self.calling = comm.shares_memory, comm.calling

    def isend(self, *args):
        self.open += 1
        return WatchedWork(self, self._comm.isend(*args))

    def recv(self, *args, **kwargs):
        return self._comm.recv(*args, **kwargs)


@pytest.mark.parametrize("call", [
    lambda c, x: all_reduce(c, x), lambda c, x: reduce_scatter(c, x), lambda c, x: all_gather(c, x),
    lambda c, x: all_to_all(c, [x] * c.world_size), lambda c, x: broadcast(c, x)],
    ids=["all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast"])
def test_every_send_is_waited_for(call):
    def program(comm, x):
        watched = Watched(comm)
        call(watched, x)
        return watched.open

    assert SimWorld(5).run(program, torch.ones(9)).results == [0] * 5
