"""Servers move their rows and rule state to each other by the plan, in simulated and in real processes."""

import numpy as np
import pytest

from pslab.comm import ProcessWorld, SimWorld
from pslab.ps import SGD, Adam, ConsistentHash, HashPartition, RangePartition, RowWiseAdaGrad
from pslab.ps.partition import move_rows, movement_plan

DIM = 3


def row_of(keys, slot=0):
    """What the row of a key holds, and its state: different for each key, column and slot; exact in float32."""
    return (np.asarray(keys)[:, None] * 8 + np.arange(DIM) + 4096 * slot).astype(np.float32)


def holding(rule, keys):
    state = np.stack([row_of(keys, 1 + slot)[:, :rule.state_width(DIM)] for slot in range(rule.slots)]) \
        if rule.slots else np.zeros((0, len(keys), DIM), np.float32)
    return row_of(keys), state


def program(comm, old, new, rule, by_rank, ranks=None):
    held = by_rank[comm.rank]
    rows, state = holding(rule, np.arange(old.num_rows)[old.owner(np.arange(old.num_rows)) == held]
                          if isinstance(held, int) else held)
    keys, rows, state = move_rows(comm, old, new, rows, state, None if isinstance(held, int) else held, ranks=ranks)
    expected_rows, expected_state = holding(rule, keys)
    assert np.array_equal(rows, expected_rows)
    assert np.array_equal(state, expected_state)
    assert state.shape == (rule.slots, len(keys), rule.state_width(DIM))
    return keys


CASES = [(RangePartition(), 4, 3), (RangePartition(), 2, 4), (HashPartition(), 3, 4), (ConsistentHash(), 3, 4),
         (ConsistentHash(), 4, 2), (ConsistentHash(), 3, 3), (RangePartition(), 1, 4)]


@pytest.mark.parametrize("rule", [SGD(0.1), Adam(0.1), RowWiseAdaGrad(0.1)], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(("kind", "before", "after"), CASES, ids=repr)
def test_dense_rows_move_and_nothing_else_does(kind, before, after, rule):
    old, new = kind.bind(203, before), kind.bind(203, after)
    run = SimWorld(4).run(program, old, new, rule, [0, 1, 2, 3], list(range(4)))
    check(run, old, new, rule)


def check(run, old, new, rule):
    plan = movement_plan(old, new)
    for server, keys in enumerate(run.results):
        assert keys.tolist() == (list(new.owned(server)) if server in new.servers else [])
    row_bytes = 4 * (DIM + rule.slots * rule.state_width(DIM))
    moved = {(move.source, move.target): len(move) * row_bytes for move in plan}
    for source in range(run.ledger.world_size):
        for target in range(run.ledger.world_size):
            assert run.ledger.link(source, target) == moved.get((source, target), 0)
    assert run.ledger.total() == plan.payload_bytes(DIM, rule)


def test_between_real_processes():
    old, new = ConsistentHash().bind(1003, 2), ConsistentHash().bind(1003, 3)
    with ProcessWorld(3) as world:
        check(world.run(program, old, new, Adam(0.1), [0, 1, 2]), old, new, Adam(0.1))


@pytest.mark.parametrize("kind", [HashPartition(5), ConsistentHash(), RangePartition()], ids=repr)
def test_tables_of_any_keys_send_keys_too(kind):
    rng = np.random.default_rng(1)
    keys = np.unique(rng.integers(-2**18, 2**18, 300))              # float32 holds their rows exactly
    if kind.contiguous:
        keys = keys[keys >= 0] << 40
    old, new, rule = kind.bind(None, 2), kind.bind(None, 3), Adam(0.1)
    held = [rng.permutation(keys[old.owner(keys) == server]) for server in range(3)]
    run = SimWorld(3).run(program, old, new, rule, held, [0, 1, 2])
    for server, mine in enumerate(run.results):
        assert mine.tolist() == keys[new.owner(keys) == server].tolist()
    plan = movement_plan(old, new, keys)
    assert run.ledger.total() == plan.payload_bytes(DIM, rule) + 8 * plan.moved_rows


def test_servers_need_not_be_the_first_ranks():
    old, new, ranks = HashPartition().bind(50, 2), HashPartition().bind(50, 3), [3, 1, 2]

    def on_rank(comm):
        if comm.rank == 0:
            return None
        me = ranks.index(comm.rank)
        return move_rows(comm, old, new, *holding(SGD(0.1), old.owned(me) if me < 2 else []), ranks=ranks)[0]
    run = SimWorld(4).run(on_rank)
    assert [run.results[rank].tolist() for rank in ranks] == [new.owned(server).tolist() for server in range(3)]


def test_rows_that_do_not_fit_the_partition_are_refused():
    old, new = RangePartition().bind(10, 1), RangePartition().bind(10, 2)

    def wrong_rows(comm):
        move_rows(comm, old, new, np.zeros((9, DIM), np.float32), np.zeros((0, 9, DIM), np.float32))

    def no_server(comm):
        move_rows(comm, old, new, np.zeros((10, DIM), np.float32), np.zeros((0, 10, DIM), np.float32), ranks=[5, 6])
    with pytest.raises(ValueError, match=r"server 0 has 10 keys, but rows of shape \(9, 3\)"):
        SimWorld(1).run(wrong_rows)
    with pytest.raises(ValueError, match=r"ranks=\[5, 6\] has no server on rank 0"):
        SimWorld(1).run(no_server)
