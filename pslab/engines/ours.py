"""The engine `pslab`: tables shared between the workers by all-to-all, dense gradients all-reduced.

    worker 0   table 0, 2, 4, … ──┐  all_to_all: ids, rows, gradients of rows
    worker 1   table 1, 3, 5, … ──┘  all_reduce: gradients of both MLPs

The same program runs in processes of this machine and in those that torchrun started, on one host or on many.
"""

from __future__ import annotations

import time

from .job import EPS, EngineJob, EngineResult


def run_ours(job: EngineJob, world) -> EngineResult | None:
    """Train in `world` (ProcessWorld, SimWorld or TorchWorld): the result, on rank 0 of torchrun's processes."""
    import torch

    from pslab.comm import TorchWorld

    under_torchrun = isinstance(world, TorchWorld)
    if under_torchrun:
        run = world.run(engine_rank, job, gather=True, timeout_s=120.0)
    else:
        run = world.run(engine_rank, job, timeout_s=120.0)
    return EngineResult.of_workers("pslab", job, "cpu", run.results, {"torch": torch.__version__})


def engine_rank(comm, job: EngineJob) -> dict:
    """One worker."""
    import torch

    from pslab.embedding import ShardedEmbeddingBagCollection, Sharding
    from pslab.ps import SGD, AdaGrad, RowWiseAdaGrad
    from pslab.train import Trainer

    torch.set_num_threads(1)
    source = job.source()
    tables = job.tables(source)
    of_rows = SGD(job.lr) if job.optimizer == "sgd" else RowWiseAdaGrad(job.lr, eps=EPS)
    of_dense = SGD(job.lr) if job.optimizer == "sgd" else AdaGrad(job.lr, eps=EPS)
    plan = {table.name: Sharding("table_wise", i % comm.world_size) for i, table in enumerate(tables)}
    bags = ShardedEmbeddingBagCollection(tables, comm, plan, of_rows, seed=job.seed)
    trainer = Trainer(job.model(source, bags), "exchange", comm, of_dense)
    loss_sums, sizes, seconds = [], [], []
    for part, global_size in job.loader(source, comm.rank, comm.world_size).take(job.steps):
        began_s = time.perf_counter()
        trainer.step(part, global_size)
        loss_sums.append(trainer.loss_sum)
        sizes.append(global_size)
        seconds.append(time.perf_counter() - began_s)
    return {"loss_sums": loss_sums, "sizes": sizes, "seconds": seconds}
