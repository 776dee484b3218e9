"""Train the strategies one after the other on the same batches, and score each on the test part."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from pslab.comm import ProcessWorld, SimWorld, TorchWorld
from pslab.data import Batch, ClickLog, auc, item_click_rate_baseline, log_loss
from pslab.train import NEEDS_SERVERS, AdaGrad, Job, busiest_port, run_job, tables_of

from .options import Options

DIM, BOTTOM, TOP = 16, (32, 16), (64, 32, 1)
STALL_S = 120.0


@dataclass(frozen=True)
class Measured:
    """One strategy's run. samples_per_s: of the median step; None where a step took no (virtual) time.

    Bytes are payload a step, of one direction of the port that carried most; headers are counted apart. hit_rate: of
    the distinct rows that workers pulled, the share that a cache spared them; saved_bytes: what caches spared all
    workers together, a step and in both directions. Both None without a cache.
    """

    strategy: str
    samples_per_s: float | None
    seconds: float
    port: str
    dense_bytes: float
    sparse_bytes: float
    header_bytes: float
    losses: list[float]
    test_log_loss: float
    test_auc: float
    hit_rate: float | None = None
    saved_bytes: float | None = None

    @property
    def bytes(self) -> float:
        """Dense and sparse together."""
        return self.dense_bytes + self.sparse_bytes


@dataclass(frozen=True)
class Size:
    """What the bytes follow from: P dense parameters, R rows of D in all tables, rows a worker touches a step."""

    dense_parameters: int
    table_rows: int
    dim: int
    rows_per_worker: float


def job_of(options: Options, log: ClickLog, strategy: str) -> Job:
    """The main job's model and options under one strategy; "single" is the reference, one process alone."""
    workers = 1 if strategy == "single" else options.workers
    servers = options.servers if strategy in NEEDS_SERVERS else 0
    return Job(tables_of(log, DIM), log.num_dense, strategy, workers, servers, BOTTOM, TOP, AdaGrad(options.lr),
               seed=options.seed, staleness=options.staleness if servers else 0,
               cache_rows=options.cache_rows if servers else 0)


class Worlds:
    """Worlds by number of ranks, made when first asked for and kept warm: strategies of one size share their ranks.

    Under torchrun every process makes this object and trains along; one `leads`: it scores, prints and draws.
    """

    def __init__(self, options: Options):
        self.options, self._made = options, {}
        self._torch = TorchWorld(seed=options.seed) if options.world == "torch" else None
        self.leads = self._torch is None or self._torch.rank == 0

    def of(self, size: int) -> ProcessWorld | SimWorld | First:
        """The world of `size` ranks."""
        if self._torch is not None:
            return First(self._torch, size)
        if size not in self._made:
            self._made[size] = (ProcessWorld(size, seed=self.options.seed) if self.options.world == "process" else
                                SimWorld(size, seed=self.options.seed, trace=False))
        return self._made[size]

    def __enter__(self) -> Worlds:
        return self

    def __exit__(self, *_) -> None:
        for world in self._made.values():
            if isinstance(world, ProcessWorld):
                world.close()
        if self._torch is not None:
            self._torch.close()

    def check_data(self, log: ClickLog) -> None:
        """ValueError when a process of another host has found other data."""
        if self._torch is not None:
            mine = [log.name, len(log.train), len(log.test)]
            found = self._torch.run(lambda comm: mine, gather=True).results
            for rank, theirs in enumerate(found):
                if theirs != found[0]:
                    raise ValueError(f"--data {self.options.data}: rank 0 has {found[0]}, rank {rank} has {theirs} "
                                     f"(name, training and test rows); give all hosts the same data")


@dataclass(frozen=True)
class First:
    """The first `world_size` processes of a larger TorchWorld, as a world whose runs hand back all results."""

    world: TorchWorld
    world_size: int

    def run(self, program, **options):
        """As TorchWorld.run."""
        return self.world.run(program, ranks=self.world_size, gather=True, **options)


def train(options: Options, log: ClickLog, batches: list[Batch], strategy: str, worlds: Worlds) -> Measured:
    """One strategy over all batches; progress is shown on stderr while it runs."""
    job = job_of(options, log, strategy)
    with tqdm(total=len(batches), desc=f"{strategy:9}", unit="step", file=sys.stderr, mininterval=0.2) as bar:
        def on_report(rank, value):
            done, loss = value
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(done - bar.n)

        result = _run(job, batches, worlds, on_report)
    rank, way, dense, sparse = busiest_port(result)
    header = result.run.ledger.port(rank, "header")[way == "in"] / len(batches)
    name = f"worker {rank}" if rank < job.workers else f"server {rank - job.workers}"
    with torch.no_grad():
        logits = result.model()(log.test.dense, log.test.sparse).numpy()
    labels = log.test.labels.numpy()
    step_s = float(np.median(result.step_seconds))
    return Measured(strategy, options.batch_size / step_s if step_s else None, result.seconds, f"{name} {way}", dense,
                    sparse, header, result.losses, log_loss(labels, logits), auc(labels, logits),
                    *_cached(result, len(batches)))


def _cached(result, steps: int) -> tuple[float | None, float | None]:
    """(share of the pulled rows that a cache spared, bytes that it spared a step); None without a cache."""
    counts = [table for worker in result.cache_stats for table in worker.values()]
    rows = sum(table["hits"] + table["misses"] for table in counts)
    if not rows:
        return None, None
    spared = sum(table["unasked"] + table["unchanged"] for table in counts)
    return spared / rows, sum(table["saved_bytes"] for table in counts) / steps


def follow(options: Options, log: ClickLog, batches: list[Batch], worlds: Worlds) -> int:
    """The part of a process that does not lead: train along, in the leader's order."""
    for strategy in (*options.strategies, "single"):
        _run(job_of(options, log, strategy), batches, worlds, None)
    return 0


def _run(job: Job, batches: list[Batch], worlds: Worlds, on_report):
    return run_job(worlds.of(job.world_size), job, batches, on_report=on_report,
                   report_every=max(1, len(batches) // 50), timeout_s=STALL_S)


def size_of(options: Options, log: ClickLog, batches: list[Batch]) -> Size:
    """Sizes of the model, and the mean number of different rows that a worker's part of a batch names."""
    job = job_of(options, log, "allreduce")
    touched = [sum(len(np.unique(part.sparse[feature.name].values.numpy())) for feature in log.features)
               for batch in batches[:50] for part in [batch.shard(r, options.workers) for r in range(options.workers)]]
    dense = sum(parameter.numel() for parameter in job.dense_model().dense_parameters())
    return Size(dense, sum(table.num_embeddings for table in job.tables), DIM, float(np.mean(touched)))


def yardstick(log: ClickLog) -> tuple[str, float]:
    """(name, test AUC) of what the strategies are measured against."""
    if log.best_auc is not None:
        return "best reachable (the planted teacher's own probabilities)", log.best_auc
    item = "item" if "item" in [feature.name for feature in log.features] else log.features[0].name
    scores = item_click_rate_baseline(log, item).numpy()
    return f"smoothed click rate of the {item}", auc(log.test.labels.numpy(), scores)
