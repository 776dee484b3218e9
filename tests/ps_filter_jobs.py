"""Jobs of workers with filters, and what the ledger and the servers show of them."""

import numpy as np
import torch

from pslab.comm import SimWorld
from pslab.ps import SGD, HashPartition, Integers, KVServer, KVWorker, TableConfig, serve

ROWS, DIM, ROUNDS = 1000, 2, 10
KEYS = np.sort(np.random.default_rng(0).permutation(ROWS)[:300])
TABLE = TableConfig("t", DIM, ROWS, rule=SGD(1.0), init=Integers(-9, 10), partition=HashPartition())


def job(comm, tables, workers, work, settings):
    """Workers give what work(comm, kv) returned and what their filters saved; servers their rows."""
    if comm.rank >= workers:
        server = KVServer(tables, comm.rank - workers, comm.world_size - workers, range(workers))
        serve(comm, server)
        return {table.name: (server.keys(table.name), np.array(server.rows(table.name))) for table in tables}
    with KVWorker(comm, range(workers, comm.world_size), tables, **settings) as kv:
        seen = work(comm, kv)
    return seen, kv.filter_stats()


def rows_of(run, workers, table="t"):
    """(keys ascending, rows) over all servers."""
    keys, rows = (np.concatenate(parts) for parts in zip(*[held[table] for held in run.results[workers:]]))
    order = np.argsort(keys)
    return keys[order], rows[order]


def pull_and_push(comm, kv, batches=None):
    """ROUNDS times the rows of a batch pulled, then gradients for them pushed."""
    seen = []
    for clock in range(ROUNDS):
        keys = KEYS if batches is None else batches[clock]
        seen.append(kv.wait(kv.pull(keys, "t")).clone())
        kv.push(keys, torch.arange(len(keys) * DIM, dtype=torch.float32).reshape(-1, DIM) % 7 + comm.rank, "t")
        kv.clock()
    return seen


def bytes_of(run, workers):
    """(keys, values) to the servers, and values from them, as the ledger saw them."""
    servers = range(workers, run.ledger.world_size)
    into = [sum(run.ledger.port(server, kind)[1] for server in servers) for kind in ("keys", "vals")]
    return (*into, sum(run.ledger.port(server, "vals")[0] for server in servers))


def run_job(filters, work=pull_and_push, workers=1, servers=2, table=TABLE, world=SimWorld, **settings):
    settings = {**settings, "filters": filters}
    return world(workers + servers).run(job, [table], workers, work, settings)
