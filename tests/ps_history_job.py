"""A recorded job on pslab's own servers: every worker pulls, computes, pushes once or twice, and ends its round."""

import numpy as np

from pslab.comm import Faults, Link, SimWorld
from pslab.ps import SGD, BoundedDelay, HashPartition, KVServer, KVWorker, RangePartition, TableConfig, serve
from pslab.ps.history import History, Marks, Recorder, ServerLog, check

ROWS = 7
LOSSY = {"retry_s": 1e-4}


def job(comm, workers, table, rounds, durations, marks, settings):
    """One rank; gives its part of the history, and servers also their rows by key and their stats."""
    if comm.rank >= workers:
        log = ServerLog()
        server = KVServer([table], comm.rank - workers, comm.world_size - workers, range(workers), recorder=log,
                          range_clocks=True)
        stats = serve(comm, server)
        return {"part": log.part({"t": server.range_clocks("t")}), "keys": server.keys("t").tolist(),
                "rows": np.array(server.rows("t")), "stats": stats["tables"]["t"]}
    recorder = Recorder(marks)
    asked, keys_of = [], np.random.default_rng([len(durations), rounds, comm.rank])
    with KVWorker(comm, range(workers, comm.world_size), [table], recorder=recorder, **settings) as kv:
        while kv.current_clock < rounds:
            asked.append(kv.pull(keys_of.permutation(table.num_rows), "t"))
            if not isinstance(table.consistency, BoundedDelay):     # that one goes on while they are under way
                kv.wait(asked.pop())
            comm.compute(durations[comm.rank][kv.current_clock])
            for _ in range(1 + (comm.rank + kv.current_clock) % 2):
                keys = keys_of.choice(table.num_rows, 3, replace=False)
                vals = np.ones((3, table.dim), np.float32) if marks is None else \
                    marks.vals(comm.rank, recorder.next_number("t"), 3)
                kv.push(keys, vals, "t")
                if kv.current_clock % 2:
                    asked.append(kv.pull(range(2, 5), "t"))
            kv.clock()
        for timestamp in asked:
            kv.wait(timestamp)
    return {"part": recorder.part()}


def play(model, seed, *, stamps=False, faults=None, workers=None, servers=None, rounds=5, straggler=True, link=None,
         settings=None, partition=None):
    """(history, run) of a job of this seed; stamps: what pulls saw comes from the servers' logs, else from marks."""
    rng = np.random.default_rng(seed)
    workers, servers = workers or 2 + seed % 3, servers or 1 + seed // 3 % 3
    marks = None if stamps else Marks(workers, 2 * rounds)
    partition = partition or (RangePartition(), HashPartition(seed))[seed % 2]
    table = TableConfig("t", 1 if stamps else marks.dim, ROWS, rule=SGD(1.0), consistency=model, partition=partition)
    durations = rng.exponential(1e-4, (workers, rounds))
    if straggler:
        durations[seed % workers] = 1.0 if faults is None else 1e-2     # and no longer than a worker tries again
    if faults is not None and settings is None:
        settings = LOSSY
    run = SimWorld(workers + servers, engine="greenlets", trace=False, faults=faults, link=link or Link()).run(
        job, workers, table, rounds, durations.tolist(), marks, settings or {})
    final = None if stamps else {"t": final_rows(run, workers)}
    return History.of(run.results, final=final, marks=marks), run


def final_rows(run, workers):
    return {key: row for rank in run.results[workers:] for key, row in zip(rank["keys"], rank["rows"])}


def misfortune(seed):
    """Letters that are lost, doubled and overtaken; for two seeds in five none."""
    if seed % 5 in (0, 3):
        return None
    return Faults(seed=seed, drop=(0, 0.1, 0.2)[seed % 3], duplicate=0.3, reorder_s=1e-4)


__all__ = ["LOSSY", "ROWS", "check", "final_rows", "job", "misfortune", "play"]
