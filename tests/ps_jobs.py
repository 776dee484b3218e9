"""A server job for tests: workers first, then servers; every rank's result is a dict of plain things."""

import numpy as np

from pslab.ps import KVServer, KVWorker, serve


def job(comm, num_workers, tables, work, *args):
    """Run work(comm, kv, *args) on the workers; servers give their stats and, by table, where their rows end up."""
    num_servers = comm.world_size - num_workers
    if comm.rank < num_workers:
        with KVWorker(comm, range(num_workers, comm.world_size), tables) as kv:
            result = work(comm, kv, *args)
        return {"result": result, "stats": kv.stats()}
    server = KVServer(tables, comm.rank - num_workers, num_servers, range(num_workers))
    stats = serve(comm, server)
    return {"stats": stats, "rows": {table.name: np.array(server.rows(table.name)) for table in tables}}


def final_rows(run, num_workers, table):
    """The whole table after a run, from the servers' shards."""
    return np.concatenate([rank["rows"][table] for rank in run.results[num_workers:]])


def check_stats(run, num_workers):
    """What workers and servers counted, summed over tables, is what the ledger saw at their ports, to the byte."""
    for rank, result in enumerate(run.results):
        tables = result["stats"] if rank < num_workers else result["stats"]["tables"]
        totals = {name: sum(counts.get(name, 0) for counts in tables.values())
                  for name in ("keys_in_bytes", "keys_out_bytes", "vals_in_bytes", "vals_out_bytes")}
        keys, vals = run.ledger.port(rank, "keys"), run.ledger.port(rank, "vals")
        seen = (totals["keys_out_bytes"], totals["keys_in_bytes"], totals["vals_out_bytes"], totals["vals_in_bytes"])
        assert seen == (*keys, *vals), f"rank {rank}"
