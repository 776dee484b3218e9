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
from pathlib import Path

import torch

from pslab.comm import Comm, Run
from pslab.data import Batch
from pslab.embedding import fuse, merge_shards
from pslab.models import DLRM
from pslab.ps import KVServer, KVWorker, serve

from .checkpoint import Checkpoint, Checkpoints, ServerSaves, load_checkpoint, load_server, save_checkpoint
from .checkpoint_files import CheckpointError
from .checkpoint_parts import shards_of
from .job import Job, check_batches
from .logs import Log
from .strategies import DENSE_TABLE
from .trainer import Trainer


def train_program(comm: Comm, job: Job, batches: Sequence[Batch] = (), report_every: int = 0,
                  saves: Saves | None = None) -> dict:
    """One rank of a job, over `comm` of job.world_size ranks; what it returns is joined by `run_job`.

    batches: the global ones; each worker trains on its `shard`, servers look at none. report_every: worker 0 reports
    [steps done, mean loss of its part] every so many steps, and after the last; 0: never. saves: where checkpoints go,
    and which one to go on from; `batches` are then those after it.
    """
    if comm.world_size != job.world_size:
        raise ValueError(f"world_size={comm.world_size}; {job.workers} workers and {job.num_servers} servers of "
                         f"strategy {job.strategy!r} need {job.world_size} ranks")
    is_server = comm.rank >= job.workers
    group = comm.split(int(is_server))
    if is_server:
        return _serve(comm, job, saves)
    if not job.num_servers:
        return _work(comm, group, job, batches, report_every, None, saves)
    with KVWorker(comm, range(job.workers, job.world_size), job.kv_tables(), cache_rows=job.cache_rows) as kv:
        return _work(comm, group, job, batches, report_every, kv, saves)


@dataclass(frozen=True)
class Saves:
    """checkpoints: where they go, and how often. start: the one to go on from. last: steps of the whole training."""

    checkpoints: Checkpoints
    start: Path | None
    last: int

    @property
    def first(self) -> int:
        """Steps done before this run."""
        return 0 if self.start is None else Checkpoint(self.start).step


def _serve(comm: Comm, job: Job, saves: Saves | None) -> dict:
    tables = job.kv_tables()
    server = KVServer(tables, comm.rank - job.workers, job.num_servers, range(job.workers))
    after = None
    if saves is not None:
        if saves.start is not None:
            load_server(server, Checkpoint(saves.start))
        after = ServerSaves(comm, server, saves.checkpoints, saves.first, saves.last).after
    stats = serve(comm, server, after)
    return {"stats": stats, "rows": {table.name: server.rows(table.name) for table in tables}}


def _work(comm: Comm, group: Comm, job: Job, batches: Sequence[Batch], report_every: int, kv: KVWorker | None,
          saves: Saves | None) -> dict:
    trainer = Trainer(job.worker_model(kv, group), job.strategy, group, job.optimizer, kv, job.loss, **job.options)
    parts = [(batch.shard(group.rank, group.world_size), len(batch)) for batch in batches]
    loss_sums, times_s = [], []
    if saves is not None and saves.start is not None:
        load_checkpoint(trainer, Checkpoint(saves.start))
    first, last = trainer.steps, trainer.steps + len(parts)
    group.barrier()     # time starts when all are ready; building models and cutting batches is not training
    times_s.append(group.now())
    for done, (part, global_size) in enumerate(parts, start=first + 1):
        to_save = saves is not None and saves.checkpoints.due(done, last)
        upcoming = None if done == last or to_save else parts[done - first][0]
        loss = trainer.step(part, global_size, upcoming)
        loss_sums.append(trainer.loss_sum)
        times_s.append(group.now())
        if to_save:
            save_checkpoint(trainer, saves.checkpoints, comm=comm, servers=range(job.workers, job.world_size))
        if report_every and group.rank == 0 and (done % report_every == 0 or done == last):
            group.report([done, loss])
    own = {name: value.clone() for name, value in trainer.model.state_dict().items()} if group.rank == 0 else {}
    return {"loss_sums": loss_sums, "times_s": times_s, "own": own, "stats": kv.stats() if kv else {},
            "cache": kv.cache_stats() if kv else {}, "shards": shards_of(trainer)}


@dataclass(frozen=True)
class JobResult:
    """losses: mean loss over each global batch. step_seconds: from step to step, of the slowest worker (virtual in the
    simulator).

    samples: rows trained on. state: all parameters at the end, for `job.local_model()`. worker_stats, server_stats:
    payload bytes and requests by table (see KVWorker.stats, KVServer.stats), {} where there are no servers.
    cache_stats: by worker and table (see KVWorker.cache_stats), {} without a cache. first_step: steps done before this
    run, where it went on from a checkpoint; losses and seconds are of the steps after it.
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
    first_step: int = 0

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
            timeout_s: float = 30.0, checkpoints: Checkpoints | None = None, resume: bool = True,
            logs: Sequence[Log] = ()) -> JobResult:
    """Train `job` on the global batches in `world`, which must have job.world_size ranks.

    checkpoints: saved on the way. resume: go on from the newest one in its folder, if there is one: `batches` are all
    of the training's, and those that it was trained on are passed over. CheckpointError where it does not fit the job,
    or is damaged. logs: what worker 0 reports goes to each of them as {"loss": ...} too (see logs.py), every
    `report_every` steps, or at each where that is 0.
    """
    batches = list(batches)
    check_batches(job, batches)
    saves, first = None, 0
    if checkpoints is not None:
        start = checkpoints.latest() if resume else None
        if start is not None:
            start.check()
            first = start.step
        if first > len(batches):
            raise CheckpointError(f"checkpoint {start.path} is of step {first}; there are only {len(batches)} batches")
        saves = Saves(checkpoints, None if start is None else start.path, len(batches))
    batches, told = batches[first:], on_report
    if logs:
        report_every = report_every or 1
        told = _to_logs(logs, on_report, first)
    per_rank = [(job, batches if rank < job.workers else [], report_every, saves) for rank in range(job.world_size)]
    try:
        run = world.run(train_program, per_rank=per_rank, timeout_s=timeout_s, on_report=told)
    finally:
        for log in logs:
            log.close()
    workers, servers = run.results[:job.workers], run.results[job.workers:]
    sums = zip(*[worker["loss_sums"] for worker in workers])
    losses = [sum(parts) / len(batch) for parts, batch in zip(sums, batches)]
    done_s = [max(times) for times in zip(*[worker["times_s"] for worker in workers])]
    step_seconds = [after - before for before, after in pairwise(done_s)]
    return JobResult(job, losses, step_seconds, sum(map(len, batches)), _whole_state(job, workers, servers),
                     [worker["stats"] for worker in workers], [server["stats"] for server in servers], run,
                     [worker["cache"] for worker in workers], first)


def _to_logs(logs: Sequence[Log], on_report: Callable | None, first: int) -> Callable:
    """on_report, which tells the logs too."""
    if first:
        for log in logs:
            log.resumed(first)

    def told(rank: int, value) -> None:
        for log in logs:
            log.log(value[0], {"loss": value[1]})
        if on_report is not None:
            on_report(rank, value)
    return told


def _whole_state(job: Job, workers: list[dict], servers: list[dict]) -> dict[str, torch.Tensor]:
    """Worker 0's own parameters, what all workers own, and what the servers hold: their ranges joined, the fused tables
    taken apart."""
    own = workers[0]["own"]
    state = dict(own)
    if job.strategy == "exchange":
        prefix = "rows.embeddings."
        shards = [{name.removeprefix(prefix): each for name, each in worker["shards"].items()} for worker in workers]
        return state | {f"embeddings.tables.{name}.weight": rows
                        for name, rows in merge_shards(job.tables, shards).items()}
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
