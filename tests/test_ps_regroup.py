"""A job that goes on with other servers: as if it had never been interrupted, for the bytes of the rows that moved."""

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.ps import (
    SGD,
    Adam,
    ConsistentHash,
    HashPartition,
    Integers,
    KVServer,
    KVWorker,
    RangePartition,
    RowWiseAdaGrad,
    TableConfig,
    merge_state_dicts,
    movement_plan,
    serve,
)
from pslab.ps.regroup import regroup

ROWS, ROUNDS = 101, 3


def tables_of(partition):
    return [TableConfig("adam", 3, ROWS, rule=Adam(0.1), partition=partition, init=Integers(-3, 4)),
            TableConfig("rows", 2, ROWS, rule=RowWiseAdaGrad(0.1), partition=partition),
            TableConfig("brief", 2, ROWS, rule=SGD(1.0), partition=partition, dtype="bfloat16")]


def train(kv, tables, first_round):
    for clock in range(first_round, first_round + ROUNDS):
        for table in tables:
            rng = np.random.default_rng([clock, table.dim])
            keys = np.unique(rng.integers(0, ROWS, 8)) << (0 if table.num_rows else 40)
            grads = torch.from_numpy(rng.integers(-4, 5, (len(keys), table.dim)).astype(np.float32))
            kv.push(keys, grads.to(torch.bfloat16) if table.dtype == "bfloat16" else grads, table.name)
        kv.clock()


def job(comm, tables, before, after, moves):
    """Rank 0 works, the others serve: `before` of them for ROUNDS rounds, then `after`; they regroup if `moves`."""
    number, export = comm.rank - 1, {}
    for phase, servers in enumerate((before, after)):
        if comm.rank == 0:
            with KVWorker(comm, range(1, 1 + servers), tables) as kv:
                train(kv, tables, phase * ROUNDS)
        elif number < servers:
            server = KVServer(tables, number, servers, [0], rank=comm.rank)
            if export:
                server.load_state_dict(export)
            serve(comm, server)
            export = server.state_dict()
        if phase == 0 and comm.rank and moves:
            export = regroup(comm, export, tables, before, after, ranks=range(1, comm.world_size))
    return export if 0 <= number < after else None


def run_job(tables, before, after, moves=True):
    return SimWorld(1 + max(before, after)).run(job, tables, before, after, moves)


@pytest.mark.parametrize("partition", [RangePartition(), HashPartition(), ConsistentHash(32)],
                         ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 1), (1, 3)])
def test_it_goes_on_as_if_nothing_had_happened(partition, before, after):
    tables = tables_of(partition)
    run = run_job(tables, before, after)
    whole = merge_state_dicts([export for export in run.results if export])
    straight = merge_state_dicts(run_job(tables, 1, 1, moves=False).results[1:])        # one server, its own export
    assert whole.keys() == straight.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, straight[name]), name
    assert all(int(whole[f"{table.name}.t"]) == 2 * ROUNDS for table in tables)


def test_tables_without_an_end():
    tables = [TableConfig("adam", 3, None, rule=Adam(0.1), partition=ConsistentHash(32))]
    run = run_job(tables, 2, 3)
    whole = merge_state_dicts(run.results[1:])
    straight = merge_state_dicts(run_job(tables, 1, 1, moves=False).results[1:])
    assert all(torch.equal(whole[name], straight[name]) for name in straight)
    assert all(len(export["adam.keys"]) for export in run.results[1:])


def between(comm, tables, before, after):
    """The moving alone, of tables as they begin."""
    export = KVServer(tables, comm.rank, before, [9], rank=comm.rank).state_dict() if comm.rank < before else {}
    return regroup(comm, export, tables, before, after)


def test_the_ledger_is_the_rows_that_moved():
    tables = tables_of(ConsistentHash(32))
    run = SimWorld(3).run(between, tables, 2, 3)
    plan = movement_plan(*[ConsistentHash(32).bind(ROWS, count) for count in (2, 3)])
    t_bytes = 8 * len(tables)
    row_bytes = 4 * (3 + 2 * 3) + 4 * (2 + 1) + 2 * 2
    moved = {(move.source, move.target): len(move) * row_bytes for move in plan}
    assert {target for _, target in moved} == {2}
    for source in range(3):
        for target in range(3):
            steps = t_bytes * (source != target and 0 in (source, target))
            assert run.ledger.link(source, target) == moved.get((source, target), 0) + steps
    assert [len(export["adam.keys"]) for export in run.results] == \
        [len(ConsistentHash(32).bind(ROWS, 3).owned(server)) for server in range(3)]


def test_what_is_missing_is_named():
    tables = tables_of(RangePartition())
    with pytest.raises(ValueError, match="export has no table 'adam'"):
        SimWorld(1).run(lambda comm: regroup(comm, {}, tables, 1, 1))
    with pytest.raises(ValueError, match=r"ranks=\[4\] has no server on rank 0"):
        SimWorld(1).run(lambda comm: regroup(comm, {}, tables, 1, 1, ranks=[4]))
