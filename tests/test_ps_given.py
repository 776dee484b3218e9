"""Long pushes and answers are read where they lie: nothing is changed under anybody's hands."""

import numpy as np
import pytest
import torch

from pslab.comm import ProcessWorld, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, HashPartition, Integers, KVServer, KVWorker, RangePartition, TableConfig, serve

ROWS, DIM, PUSHES = 1500, 16, 4             # a push of 1,000 distinct rows: 64 KB


def table(consistency, partition):
    return [TableConfig("t", DIM, ROWS, SGD(1.0), consistency, partition, Integers(-8, 9, seed=3))]


def job(comm, tables, workers):
    if comm.rank >= workers:
        server = KVServer(tables, comm.rank - workers, comm.world_size - workers, range(workers))
        serve(comm, server)
        return server.rows("t").copy()
    draw = np.random.default_rng(comm.rank)
    pulled, before = [], []
    with KVWorker(comm, range(workers, comm.world_size), tables) as kv:
        for _ in range(PUSHES):
            keys = draw.integers(0, ROWS, 1600)                     # unsorted, some of them several times
            grads = draw.integers(-3, 4, (1600, DIM)).astype(np.float32)
            kv.push(keys, grads, "t")
            grads[:], keys[:] = 1e9, 0                              # the caller's again, at once
            wanted = draw.integers(0, ROWS, 1600)
            late = kv.pull(wanted, "t")                             # fetched after the next clock only
            early = kv.wait(kv.pull(np.sort(np.unique(wanted)), "t"))
            before.append(early.clone())
            early += 0                                              # it may be written
            pulled.append((early, late))
            kv.clock()
        results = [(early.numpy(), kv.wait(late).numpy()) for early, late in pulled]
        assert all(torch.equal(torch.from_numpy(early), kept) for (early, _), kept in zip(results, before))
        heap = getattr(comm._endpoint, "heap", None)
    return results, None if heap is None else len(heap._blocks) + sum(map(len, heap._free.values()))


@pytest.fixture(scope="module")
def world():
    with ProcessWorld(3) as world:
        yield world


@pytest.mark.parametrize("partition", [RangePartition(), HashPartition(seed=1)], ids=["range", "hash"])
@pytest.mark.parametrize("consistency", [BSP(), SSP(1), ASP()], ids=["BSP", "SSP", "ASP"])
def test_processes_end_with_the_rows_of_the_simulator(world, consistency, partition):
    """Whole numbers: sums do not depend on the order, so that all models end alike."""
    tables = table(consistency, partition)
    real = world.run(job, tables, 2).results
    simulated = SimWorld(3).run(job, tables, 2).results
    assert np.array_equal(real[2], simulated[2])
    assert all(blocks >= 2 for _, blocks in real[:2])               # sums and their keys lay in shared memory
    assert all(blocks <= 2 * PUSHES for _, blocks in real[:2])
    if isinstance(consistency, BSP):
        for (ours, _), (theirs, _) in zip(real[:2], simulated[:2]):
            for mine, other in zip(ours, theirs):
                assert all(np.array_equal(a, b) for a, b in zip(mine, other))


def kept_memory(comm, tables, mine):
    """The caller's own kit memory, with ascending keys: pushed as it is, so it must not be given away."""
    if comm.rank:
        server = KVServer(tables, 0, 1, [0])
        serve(comm, server)
        return server.rows("t").copy()
    with KVWorker(comm, [1], tables) as kv:
        first = kv.wait(kv.pull(range(ROWS), "t")).clone()
        grads = comm.empty((ROWS, DIM)).fill_(1.0)
        for number in range(3):
            kv.push(np.arange(ROWS) if mine == "keys" else range(ROWS), grads, "t")
            grads.fill_(number + 2.0)
    return first.numpy()


@pytest.fixture(scope="module")
def pair():
    with ProcessWorld(2) as world:
        yield world


@pytest.mark.parametrize("mine", ["keys", "range"])
@pytest.mark.parametrize("consistency", [BSP(), ASP()], ids=["BSP", "ASP"])
def test_memory_of_the_caller_s_own_may_be_changed_after_a_push(pair, mine, consistency):
    first, rows = pair.run(kept_memory, table(consistency, RangePartition()), mine).results
    assert np.array_equal(rows, first - (1 + 2 + 3))
