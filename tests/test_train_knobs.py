"""Knobs that only hand something on: each must arrive."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.data import synthetic_click_log
from pslab.ps import SGD, KVServer, KVWorker, RangePartition, TableConfig, serve
from pslab.train import Job, run_job, tables_of


@dataclass(frozen=True)
class Uneven(RangePartition):
    """The first server owns the first key only, the last one all others."""

    def bind(self, num_rows, num_servers):
        return Uneven(num_rows, num_servers)

    def edges(self):
        return np.array([0, *[1] * (self.num_servers - 1), self.num_rows], np.int64)

    def bounds(self, server):
        edges = self.edges()
        return int(edges[server]), int(edges[server + 1])


@pytest.mark.parametrize(("partition", "shares"), [(RangePartition(), [4, 3]), (Uneven(), [1, 6])])
def test_the_partition_of_a_table_decides_who_owns_what(partition, shares):
    tables = [TableConfig("t", 2, 7, rule=SGD(1.0), partition=partition)]

    def program(comm):
        if comm.rank:
            server = KVServer(tables, comm.rank - 1, 2, [0])
            serve(comm, server)
            return server.rows("t").shape[0], server.rows("t").sum().item()
        with KVWorker(comm, [1, 2], tables) as kv:
            kv.push(torch.arange(7), torch.ones(7, 2), table="t")
            kv.clock()
            return kv.wait(kv.pull(torch.arange(7), table="t")).sum().item()
    run = SimWorld(3).run(program)
    assert run.results[0] == -14.0
    assert [rows for rows, _ in run.results[1:]] == shares
    assert [total for _, total in run.results[1:]] == [-2.0 * share for share in shares]
    assert [run.ledger.link(0, 1 + i, "vals") for i in (0, 1)] == [8 * share for share in shares]


def test_run_job_hands_its_limits_to_the_world():
    class Asked(Exception):
        pass

    class World:
        def run(self, program, **given):
            raise Asked(given)
    log = synthetic_click_log(train_rows=64, test_rows=16)
    job = Job(tables_of(log, 16), log.num_dense, "single", workers=1)
    heard = []
    with pytest.raises(Asked) as asked:
        run_job(World(), job, list(log.batches(32)), timeout_s=7.5, on_report=heard.append)
    (given,) = asked.value.args
    assert given["timeout_s"] == 7.5
    assert given["on_report"] == heard.append
