"""Dense and sparse bytes by port: they add up to the ledger, and the closed forms know them beforehand."""

import numpy as np
import pytest

from pslab.comm import ProcessWorld, SimWorld
from pslab.cost import Port, ring_all_reduce, strategy_port_bytes
from pslab.data import synthetic_click_log
from pslab.train import Job, busiest_port, port_bytes, run_job, tables_of

LOG = synthetic_click_log(3, train_rows=600, test_rows=60, tables=(50, 23), num_dense=2)
DIM = 4
SHAPE = {"tables": tables_of(LOG, DIM), "num_dense": 2, "bottom": (6, DIM), "top": (5, 1)}
DENSE = 2 * 6 + 6 + 6 * DIM + DIM + (DIM + 3) * 5 + 5 + 5 + 1       # parameters of both MLPs
STEPS = 4
BATCHES = list(LOG.batches(24, 1, STEPS))


def run(strategy, workers, servers, world=SimWorld):
    job = Job(strategy=strategy, workers=workers, servers=servers, **SHAPE)
    return run_job(world(job.world_size), job, BATCHES)


def adds_up(result):
    """Every port's dense + sparse bytes are the ledger's keys + vals, nothing is negative or counted twice."""
    ledger = result.run.ledger
    for rank, split in enumerate(port_bytes(result)):
        of_ledger = tuple(a + b for a, b in zip(ledger.port(rank, "vals"), ledger.port(rank, "keys")))
        assert split.total == Port(*of_ledger), rank
        assert min(*split.dense, *split.sparse) >= 0


@pytest.mark.parametrize("strategy", ["allreduce", "server", "hybrid"])
@pytest.mark.parametrize(("workers", "servers"), [(1, 1), (2, 2), (3, 1), (2, 3)])
def test_ports_add_up_to_the_ledger(strategy, workers, servers):
    adds_up(run(strategy, workers, servers))


@pytest.mark.long
def test_ports_add_up_in_processes():
    with ProcessWorld(4) as world:
        job = Job(strategy="hybrid", **SHAPE)
        adds_up(run_job(world, job, BATCHES))


def unique_keys(rank, workers):
    """Distinct rows each step that a worker touches, from the ids alone."""
    first = np.cumsum([0] + [table.num_embeddings for table in SHAPE["tables"]])
    return [np.unique(np.concatenate([batch.shard(rank, workers).sparse[table.name].values.numpy() + begin
                                      for table, begin in zip(SHAPE["tables"], first)])) for batch in BATCHES]


@pytest.mark.parametrize(("workers", "servers"), [(1, 1), (2, 2), (3, 1)])
def test_dense_and_sparse_bytes_of_each_strategy(workers, servers):
    rows = sum(table.num_embeddings for table in SHAPE["tables"])
    dense_ring, table_ring = (ring_all_reduce(n, workers).ports for n in (DENSE, rows * DIM))
    touched = [sum(map(len, unique_keys(rank, workers))) for rank in range(workers)]
    allreduce, server, hybrid = (port_bytes(run(name, workers, servers)) for name in ("allreduce", "server", "hybrid"))
    for rank in range(workers):
        ring = Port(*(STEPS * way for way in dense_ring[rank]))
        moved = Port(touched[rank] * (2 * 8 + 4 * DIM), touched[rank] * 4 * DIM)
        assert allreduce[rank].dense == hybrid[rank].dense == ring
        assert allreduce[rank].sparse == Port(*(STEPS * way for way in table_ring[rank]))
        assert hybrid[rank].sparse == server[rank].sparse == moved
        assert server[rank].dense == Port(STEPS * 4 * DENSE, STEPS * 4 * DENSE)
    for split in hybrid[workers:]:
        assert split.dense == (0, 0)
    whole = sum(touched)
    for index in (0, 1):
        assert sum(split.dense[index] for split in server[workers:]) == STEPS * 4 * DENSE * workers
        expected = whole * 4 * DIM + (whole * 16 if index else 0)
        assert sum(split.sparse[index] for split in server[workers:]) == expected


def test_the_closed_form_of_a_strategy():
    """One server, so that nothing is rounded to shares: cost.strategy_port_bytes is the run's busiest port."""
    rows = sum(table.num_embeddings for table in SHAPE["tables"])
    workers = 1
    touched = [len(keys) for keys in unique_keys(0, workers)]
    for strategy in ("allreduce", "server", "hybrid"):
        result = run(strategy, workers, 1)
        steps = [strategy_port_bytes(strategy, workers, 1, 4 * DENSE, rows, 4 * DIM, n) for n in touched]
        splits = port_bytes(result)
        assert sum(step.worker.total.out_bytes for step in steps) == splits[0].total.out_bytes
        assert sum(step.worker.total.in_bytes for step in steps) == splits[0].total.in_bytes
        if strategy != "allreduce":
            assert sum(step.server.total.out_bytes for step in steps) == splits[1].total.out_bytes
            assert sum(step.server.sparse.in_bytes for step in steps) == splits[1].sparse.in_bytes


def test_busiest_port():
    result = run("server", 3, 1)
    rank, way, dense, sparse = busiest_port(result)
    assert (rank, way) == (3, "in")         # the one server, where gradients and keys of all arrive
    assert dense == 3 * 4 * DENSE
    assert sparse == port_bytes(result)[3].sparse.in_bytes / STEPS
    rank, _, dense, sparse = busiest_port(run("allreduce", 2, 0))
    assert rank < 2
    assert dense + sparse == 4 * DENSE + sum(table.num_embeddings for table in SHAPE["tables"]) * 4 * DIM
