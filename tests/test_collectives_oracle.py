"""The judges refuse plausible wrong collectives: each plant here must raise AssertionError, for the reason named."""

import numpy as np
import pytest
from collectives_oracle import (
    LINK,
    judge_all_gather,
    judge_all_reduce,
    judge_all_to_all,
    judge_broadcast,
    judge_reduce_scatter,
)

from pslab.collectives import all_gather, all_reduce, all_to_all, broadcast, reduce_scatter
from pslab.comm import Deadlock, SimWorld

K, P = 3, 11


def around(comm):
    return (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size


def whole_tensor_each_step(comm, x, op):
    right, left = around(comm)
    passing = x.copy()
    for _ in range(comm.world_size - 1):
        work = comm.isend(passing, right)
        came = comm.recv(left).numpy()
        work.wait()
        x += came
        passing = came
    return x


def swapped_pieces(comm, x, op):
    all_reduce(comm, x, op)
    x[:4], x[4:8] = x[4:8].copy(), x[:4].copy()
    return x


def last_piece_dropped(comm, x, op):
    """Cuts into pieces of ⌊P/K⌋ and forgets what is left over."""
    n = len(x) // comm.world_size
    all_reduce(comm, x[:n * comm.world_size], op)
    return x


def own_tensor_times_K(comm, x, op):
    """Right whenever all ranks were given the same."""
    all_reduce(comm, x.copy(), op)
    x *= comm.world_size
    return x


def through_rank_0(comm, x, op):
    """Right sums, but one port carries everything."""
    if comm.rank:
        comm.send(x, 0)
        comm.recv(0, out=x)
    else:
        for src in range(1, comm.world_size):
            comm.recv(src, out=x, op="sum")
        for dst in range(1, comm.world_size):
            comm.send(x, dst)
    return x


def against_the_ring(comm, x, op):
    """Right sums and right bytes, but sent to the left neighbour."""
    mirror = comm.split(0, key=-comm.rank)
    all_reduce(mirror, x, op)
    return x


def one_step_of_idling(comm, x, op):
    all_reduce(comm, x, op)
    comm.sleep(LINK.latency_s / 10)
    return x


def result_of_another_op(comm, x, op):
    all_reduce(comm, x, "max")
    return x


@pytest.mark.parametrize(("plant", "reason"), [
    (whole_tensor_each_step, "carried"), (swapped_pieces, "rank 0"), (last_piece_dropped, "rank 0"),
    (own_tensor_times_K, "rank 0"), (through_rank_0, "carried"), (against_the_ring, "carried"),
    (one_step_of_idling, "took"), (result_of_another_op, "rank 0")], ids=lambda x: getattr(x, "__name__", ""))
def test_wrong_all_reduce_is_refused(plant, reason):
    with pytest.raises(AssertionError, match=reason):
        judge_all_reduce(SimWorld(K, link=LINK), plant, P)


def test_a_ring_of_blocking_sends_is_a_deadlock():
    def blocking(comm, x, op):
        right, left = around(comm)
        comm.send(x, right)
        return comm.recv(left)

    with pytest.raises(Deadlock, match="send"):
        judge_all_reduce(SimWorld(K, link=LINK), blocking, P)


def test_wrong_reduce_scatter_is_refused():
    def neighbours_piece(comm, x, op):
        full = x.copy()
        mine = reduce_scatter(comm, x, op)
        right, left = around(comm)
        work = comm.isend(mine, right)
        mine = comm.recv(left)
        work.wait()
        return mine, full

    def input_overwritten(comm, x, op):
        mine = reduce_scatter(comm, x, op)
        x[0] += 1
        return mine, x

    def whole_all_reduce(comm, x, op):
        kept = x.copy()
        all_reduce(comm, x, op)
        return np.array_split(x, comm.world_size)[comm.rank], kept

    for plant, reason in ((neighbours_piece, "rank 0"), (input_overwritten, "input of rank 0"),
                          (whole_all_reduce, "carried")):
        with pytest.raises(AssertionError, match=reason):
            judge_reduce_scatter(SimWorld(K, link=LINK), plant, P)


def test_wrong_all_gather_is_refused():
    def in_order_of_arrival(comm, x):
        pieces = all_gather(comm, x)
        return [pieces[(comm.rank - step) % comm.world_size] for step in range(comm.world_size)], x

    def everyone_to_everyone(comm, x):
        return all_to_all(comm, [x] * comm.world_size), x

    for plant, reason in ((in_order_of_arrival, "piece 1 on rank 0"), (everyone_to_everyone, "carried")):
        with pytest.raises(AssertionError, match=reason):
            judge_all_gather(SimWorld(K, link=LINK), plant, [4, 4, 4])


def test_wrong_broadcast_is_refused():
    def flat_tree(comm, x, src):
        if comm.rank != src:
            comm.recv(src, out=x)
            return x
        for dst in range(comm.world_size):
            if dst != src:
                comm.send(x, dst)
        return x

    def source_ignored(comm, x, src):
        broadcast(comm, x, 0)
        return x

    for plant, reason in ((flat_tree, "carried"), (source_ignored, "rank 0")):
        with pytest.raises(AssertionError, match=reason):
            judge_broadcast(SimWorld(4, link=LINK), plant, P, 1)


def test_wrong_all_to_all_is_refused():
    def not_transposed(comm, tensors):
        all_to_all(comm, tensors)
        return list(tensors), tensors

    def sends_everything_to_all(comm, tensors):
        rows = all_gather(comm, np.concatenate(tensors))
        n = len(tensors[0])
        return [row[comm.rank * n:(comm.rank + 1) * n] for row in rows], tensors

    for plant, reason in ((not_transposed, "from 1 on rank 0"), (sends_everything_to_all, "carried")):
        with pytest.raises(AssertionError, match=reason):
            judge_all_to_all(SimWorld(K, link=LINK), plant, [[2] * K] * K)
