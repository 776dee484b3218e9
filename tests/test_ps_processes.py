"""The same server job in real processes: same values, same bytes, errors that come home."""

import numpy as np
import pytest
import torch
from ps_jobs import TABLES, check_run, job, sequential, train

from pslab.comm import ProcessWorld, RankDied, SimWorld
from pslab.ps import SGD, Integers, TableConfig


@pytest.fixture(scope="module")
def world():
    with ProcessWorld(4) as world:
        yield world


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_same_job_as_in_the_simulator(world, workers):
    run = world.run(job, workers, TABLES, train, 0)
    check_run(run, workers, sequential(workers), f"{workers} workers")
    twin = SimWorld(4).run(job, workers, TABLES, train, 0)
    assert np.array_equal(run.ledger.counts, twin.ledger.counts)     # every byte, header bytes too
    assert np.array_equal(run.ledger.sent, twin.ledger.sent)


def test_over_loopback_sockets():
    with ProcessWorld(3, transport="tcp") as world:
        check_run(world.run(job, 2, TABLES, train, 0), 2, sequential(2), "tcp")


def test_large_rows_cross_whole(world):
    """4 MB tables: larger than any buffer between two processes, both ways at once."""
    table = TableConfig("big", 64, 16_384, rule=SGD(1.0), init=Integers(-9, 10, seed=8))

    def work(comm, kv):
        rng = np.random.default_rng(comm.rank)
        keys = torch.from_numpy(rng.integers(0, 16_384, 25_000))
        vals = torch.from_numpy(rng.integers(-3, 4, (25_000, 64)).astype(np.float32))
        kv.push(keys, vals, "big")
        kv.push(range(16_384), torch.full((16_384, 64), comm.rank + 1.0), "big")
        kv.clock()
        rows = kv.wait(kv.pull(range(16_384), "big"))
        some = kv.wait(kv.pull(keys, "big"))
        return bool(torch.equal(some, rows[keys])), rows.double().sum(1)
    run = world.run(job, 2, [table], work)
    expected = torch.from_numpy(table.initial_rows()).double().sum(1) - 3 * 64
    for rank in range(2):
        rng = np.random.default_rng(rank)
        keys = torch.from_numpy(rng.integers(0, 16_384, 25_000))
        expected.index_add_(0, keys, -torch.from_numpy(rng.integers(-3, 4, (25_000, 64))).sum(1).double())
    for worker in range(2):
        consistent, sums = run.results[worker]["result"]
        assert consistent
        assert torch.equal(sums, expected)


def test_a_refusal_comes_home_in_words(world):
    def work(comm, kv):
        if comm.rank == 1:
            kv.push([11], torch.ones(1, 3), "sparse")
        kv.clock()
    with pytest.raises(ValueError, match=r"'sparse': key 11 is out of range; its keys are 0\.\.10"):
        world.run(job, 2, TABLES, work)


def test_a_worker_that_is_killed_ends_the_job(world):
    def work(comm, kv):
        import os
        import signal
        kv.clock()
        if comm.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        kv.clock()
    with pytest.raises(RankDied) as died:
        world.run(job, 2, TABLES, work)
    assert (died.value.rank, died.value.signal) == (1, 9)
    check_run(world.run(job, 2, TABLES, train, 0), 2, sequential(2), "after the kill")
