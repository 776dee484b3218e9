"""Run a job: the program of every rank, and the caller who joins what they return.

    run_job(world, job, batches)
        world.run(train_program, job, batches)        the same function in every world
            ranks 0 .. K-1      workers: Trainer, own shard of each global batch ──> losses, seconds, bytes
            ranks K .. K+S-1    servers: until every worker said goodbye         ──> their rows, bytes
        ──> JobResult           losses of the global batches, the whole model, the ledger

Final rows are handed back by the servers' own results, not by messages: the ledger holds the training alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from pslab.comm import Comm, Run
from pslab.data import Batch
from pslab.embedding import fuse
from pslab.models import DLRM
from pslab.ps import KVServer, KVWorker, serve

from .job import Job, check_batches
from .strategies import DENSE_TABLE
from .trainer import Trainer


def train_program(comm: Comm, job: Job, batches: Sequence[Batch] = (), report_every: int = 0) -> dict:
    """One rank of a job, over `comm` of job.world_size ranks; what it returns is joined by `run_job`.

    batches: the global ones; each worker trains on its `shard`, servers look at none. report_every: worker 0 reports
    [steps done, mean loss of its part] every so many steps, and after the last; 0: never.
    """
    if comm.world_size != job.world_size:
        raise ValueError(f"world_size={comm.world_size}; {job.workers} workers and {job.num_servers} servers of "
                         f"strategy {job.strategy!r} need {job.world_size} ranks")
    is_server = comm.rank >= job.workers
    group = comm.split(int(is_server))
    if is_server:
        return _serve(comm, job)
    if not job.num_servers:
        return _work(group, job, batches, report_every, None)
    with KVWorker(comm, range(job.workers, job.world_size), job.kv_tables(), cache_rows=job.cache_rows) as kv:
        return _work(group, job, batches, report_every, kv)


def _serve(comm: Comm, job: Job) -> dict:
    tables = job.kv_tables()
    server = KVServer(tables, comm.rank - job.workers, job.num_servers, range(job.workers))
    stats = serve(comm, server)
    return {"stats": stats, "rows": {table.name: server.rows(table.name) for table in tables}}


def _work(group: Comm, job: Job, batches: Sequence[Batch], report_every: int, kv: KVWorker | None) -> dict:
    trainer = Trainer(job.worker_model(kv), job.strategy, group, job.optimizer, kv, job.loss)
    parts = [(batch.shard(group.rank, group.world_size), len(batch)) for batch in batches]
    loss_sums, times_s = [], []
    group.barrier()     # time starts when all are ready; building models and cutting batches is not training
    times_s.append(group.now())
    for done, (part, global_size) in enumerate(parts, start=1):
        loss = trainer.step(part, global_size)
        loss_sums.append(trainer.loss_sum)
        times_s.append(group.now())
        if report_every and group.rank == 0 and (done % report_every == 0 or done == len(parts)):
            group.report([done, loss])
    own = {name: value.clone() for name, value in trainer.model.state_dict().items()} if group.rank == 0 else {}
    return {"loss_sums": loss_sums, "times_s": times_s, "own": own, "stats": kv.stats() if kv else {},
            "cache": kv.cache_stats() if kv else {}}


@dataclass(frozen=True)
class JobResult:
    """losses: mean loss over each global batch. step_seconds: from step to step, of the slowest worker (virtual in the
    simulator).

    samples: rows trained on. state: all parameters at the end, for `job.local_model()`. worker_stats, server_stats:
    payload bytes and requests by table (see KVWorker.stats, KVServer.stats), {} where there are no servers.
    cache_stats: by worker and table (see KVWorker.cache_stats), {} without a cache.
    """

    job: Job
    losses: list[float]
    step_seconds: list[float]
    samples: int
    state: dict[str, torch.Tensor]
    worker_stats: list[dict]
    server_stats: list[dict]
    run: Run
    cache_stats: list[dict]

    @property
    def seconds(self) -> float:
        """All steps together."""
        return sum(self.step_seconds)

    def model(self) -> DLRM:
        """The trained model, all rows in this process."""
        model = self.job.local_model()
        model.load_state_dict(self.state)
        return model


def run_job(world, job: Job, batches: Sequence[Batch], *, on_report: Callable | None = None, report_every: int = 0,
            timeout_s: float = 30.0) -> JobResult:
    """Train `job` on the global batches in `world`, which must have job.world_size ranks."""
    batches = list(batches)
    check_batches(job, batches)
    per_rank = [(job, batches if rank < job.workers else [], report_every) for rank in range(job.world_size)]
    run = world.run(train_program, per_rank=per_rank, timeout_s=timeout_s, on_report=on_report)
    workers, servers = run.results[:job.workers], run.results[job.workers:]
    sums = zip(*[worker["loss_sums"] for worker in workers])
    losses = [sum(parts) / len(batch) for parts, batch in zip(sums, batches)]
    done_s = [max(times) for times in zip(*[worker["times_s"] for worker in workers])]
    step_seconds = [after - before for before, after in pairwise(done_s)]
    return JobResult(job, losses, step_seconds, sum(map(len, batches)), _whole_state(job, workers[0]["own"], servers),
                     [worker["stats"] for worker in workers], [server["stats"] for server in servers], run,
                     [worker["cache"] for worker in workers])


def _whole_state(job: Job, own: dict, servers: list[dict]) -> dict[str, torch.Tensor]:
    """Worker 0's own parameters, and what the servers hold: their ranges joined, the fused tables taken apart."""
    state = dict(own)
    if not servers:
        return state
    joined = {name: torch.cat([torch.as_tensor(server["rows"][name]) for server in servers])
              for name in servers[0]["rows"]}
    for fused in fuse(job.tables):
        for table in fused.tables:
            keys = fused.keys(table.name)
            state[f"embeddings.tables.{table.name}.weight"] = joined[fused.name][keys.start:keys.stop].clone()
    if DENSE_TABLE in joined:
        flat, names = joined[DENSE_TABLE][:, 0], [name for name, _ in job.dense_model().named_parameters()]
        for name, part in zip(names, flat.split([own[name].numel() for name in names])):
            state[name] = part.view_as(own[name]).clone()
    return state
