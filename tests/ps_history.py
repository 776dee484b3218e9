"""Jobs whose every read can be judged: each worker counts in a row of its own, and a read shows whose counts it saw.

The row of worker w in a table holds how many of w's pushes the reader sees: one push a round, after the read.
"""

import itertools
from dataclasses import dataclass

import torch

from pslab.comm import Link, SimWorld
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

FREE = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=float("inf"))     # messages take no time: only computing does


@dataclass
class Read:
    """What one worker saw at the beginning of one of its rounds."""

    worker: int
    clock: int
    time_s: float
    seen: dict          # table -> (K,) pushes of each worker


def counters(workers, **consistencies):
    """A table of counters for each consistency given."""
    return [TableConfig(name, 1, workers, rule=SGD(1.0), consistency=model) for name, model in consistencies.items()]


def count(comm, workers, tables, durations, settings):
    """One rank of the job; a worker computes durations[rank][c] seconds in round c. Gives its reads."""
    servers = comm.world_size - workers
    if comm.rank >= workers:
        return serve(comm, KVServer(tables, comm.rank - workers, servers, range(workers)))
    reads = []
    with KVWorker(comm, range(workers, comm.world_size), tables, **settings) as kv:
        for clock, duration_s in enumerate(durations[comm.rank]):
            start_s = comm.now()
            keys = list(range(workers)) if "cache_rows" in settings else range(workers)     # ranges go past a cache
            asked = {table.name: kv.pull(keys, table.name) for table in tables}
            seen = {name: kv.wait(timestamp)[:, 0].int().tolist() for name, timestamp in asked.items()}
            reads.append(Read(comm.rank, clock, start_s, seen))
            comm.compute(duration_s)
            for table in tables:
                kv.push([comm.rank], -torch.ones(1, 1), table.name)
            assert kv.clock() == clock + 1
    return reads


def run_counts(tables, durations, servers=1, settings=None, **world):
    """(all reads, the run) of the job in the simulator; messages take no time unless `link` says so."""
    workers = len(durations)
    world = {"link": FREE, "engine": "greenlets", "trace": False, **world}
    run = SimWorld(workers + servers, **world).run(count, workers, tables, durations, settings or {})
    return list(itertools.chain.from_iterable(run.results[:workers])), run


def check_reads(reads, table, staleness, rounds, in_rounds=False, reads_own=True, where=""):
    """Every read of one table against the bound; gives the largest lag behind the reader's clock that was seen."""
    largest, latest = 0, {}
    for read in sorted(reads, key=lambda read: (read.worker, read.clock)):
        for worker, seen in enumerate(read.seen[table]):
            label = f"{where} worker {read.worker} at clock {read.clock} sees {seen} pushes of worker {worker}"
            assert seen >= min(rounds, read.clock - staleness), label
            assert seen <= rounds, label
            if in_rounds:
                assert seen == min(rounds, read.clock), label
            elif worker == read.worker and reads_own:
                assert seen == read.clock, label
            assert seen >= latest.get((read.worker, worker), 0), label + ": fewer than before"
            latest[read.worker, worker] = seen
            largest = max(largest, read.clock - seen)
    return largest


def leads(reads, durations):
    """By read: how many rounds its worker is ahead of the slowest when it begins the round."""
    commits = [[read.time_s + durations[read.worker][read.clock] for read in reads if read.worker == worker]
               for worker in range(len(durations))]
    found = []
    for read in reads:
        done = [sum(commit_s <= read.time_s for commit_s in of_worker) for of_worker in commits]
        found.append(read.clock - min(done))
    return found


def reference(durations, staleness):
    """When every round would end if messages took no time: round c begins when its worker has finished c - 1 and
    every worker has finished c - staleness - 1. (K lists of T moments.)"""
    ends = [[] for _ in durations]
    for clock in range(len(durations[0])):
        needed = clock - staleness - 1
        gate_s = max(of_worker[int(needed)] for of_worker in ends) if needed >= 0 else 0.0
        for of_worker, duration_s in zip(ends, durations):
            begin_s = max(of_worker[-1] if of_worker else 0.0, gate_s)
            of_worker.append(begin_s + duration_s[clock])
    return ends


class Losing:
    """A comm that loses letters: losing[kind] holds which ones of that kind, counted from 0; all[i]: of any kind."""

    def __init__(self, comm, **losing):
        self.comm, self.losing, self.posted = comm, losing, {}

    def post(self, dst, kind, meta=None, tensors=(), **settings):
        lost = False
        for name in (kind, "all"):
            number = self.posted[name] = self.posted.get(name, -1) + 1
            lost |= number in self.losing.get(name, ())
        if not lost:
            self.comm.post(dst, kind, meta, tensors, **settings)

    def __getattr__(self, name):
        return getattr(self.comm, name)
