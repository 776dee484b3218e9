"""Tables of any keys, bfloat16, set and pushpull between real processes, in letters long enough to be read in place."""

import numpy as np
import pytest
import torch
from ps_jobs import check_stats, job

from pslab.comm import ProcessWorld, SimWorld
from pslab.ps import ASP, BSP, SGD, AdaGrad, HashPartition, Integers, TableConfig

DIM = 64
POOL = np.random.default_rng(1).integers(-2**63, 2**63 - 1, 900)
TABLES = [TableConfig("any", DIM, None, SGD(0.5), BSP(), HashPartition(1), Integers(-9, 10)),
          TableConfig("half", DIM, 900, AdaGrad(0.5), BSP(), HashPartition(2), Integers(-9, 10), "bfloat16"),
          TableConfig("now", DIM, None, SGD(0.5), ASP(), HashPartition(3), Integers(-9, 10)),
          TableConfig("line", DIM, 900, SGD(0.5), BSP(), init=Integers(-9, 10))]


def train(comm, kv):
    seen = []
    for step in range(3):
        rng = np.random.default_rng([comm.rank, step])
        for table in TABLES:
            places = rng.integers(0, 900, 500)
            keys = POOL[places] if table.num_rows is None else places
            vals = torch.from_numpy(rng.integers(-8, 9, (500, DIM)).astype(np.float32))
            asked = [kv.push(keys, vals, table.name), kv.pushpull(keys[::2], vals[::2], table.name),
                     kv.pull(keys, table.name), kv.push(range(200, 600), vals[:400], table.name)]
            got = [kv.wait(timestamp) for timestamp in reversed(asked)]
            if table.consistency == BSP():                  # of the other, a pull depends on who came first
                seen += [got[1].clone(), got[2].clone()]
            comm.barrier()                                  # a set is seen at once: nobody may be pulling
            if comm.rank == 0 and step == 1:
                kv.wait(kv.set(range(0, 300), vals[:300], table.name))
            comm.barrier()
        kv.clock()
    return seen


@pytest.mark.parametrize("transport", ["auto", "tcp"])
def test_processes_do_what_the_simulator_does(transport):
    """Every pull of a table in rounds, and how these end; of the asynchronous one, how often it was pushed to."""
    with ProcessWorld(4, transport=transport) as world:
        real = world.run(quiet_job, timeout_s=60.0)
    made = SimWorld(4).run(quiet_job)
    for mine, theirs in zip(real.results[:2], made.results[:2]):
        assert all(map(torch.equal, mine["result"], theirs["result"]))
    for mine, theirs in zip(real.results[2:], made.results[2:]):
        for name in ("any", "half", "line"):
            assert np.array_equal(mine["rows"][name], theirs["rows"][name]), name
        assert mine["stats"]["tables"]["now"]["pushes"] == theirs["stats"]["tables"]["now"]["pushes"]
    check_stats(real, 2)
    assert [real.ledger.link(0, 1, kind) for kind in ("vals", "keys")] == [0, 0]


def quiet_job(comm):
    return job(Workers(comm), 2, TABLES, train)


class Workers:
    """The comm, with a barrier of the workers alone: servers are in their loops."""

    def __init__(self, comm):
        self.comm, self.workers = comm, comm.split(0 if comm.rank < 2 else 1)

    def __getattr__(self, name):
        return getattr(self.comm, name)

    def barrier(self):
        self.workers.barrier()
