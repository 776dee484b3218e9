"""Every strategy equals the single process where workers' parts differ in size, and some hold no rows at all."""

import math

import numpy as np
import pytest
import torch

from pslab.comm import ProcessWorld, SimWorld
from pslab.data import synthetic_click_log
from pslab.embedding import EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding, table_configs
from pslab.ps import SSP, BoundedDelay, KVServer, KVWorker, Uniform, serve
from pslab.train import AdaGrad, Job, Trainer, run_job, tables_of

SEED, STEPS = 7, 50
LOG = synthetic_click_log(SEED, train_rows=600, test_rows=10, tables=(40, 25, 12), num_dense=3)
SHAPE = {"tables": tables_of(LOG, 4), "num_dense": 3, "bottom": (8, 4), "top": (8, 1), "seed": SEED,
         "init": Uniform(0.5, SEED), "optimizer": AdaGrad(0.1)}
BATCHES = list(LOG.batches(12, SEED, STEPS))
WORKERS = ("allreduce", "server", "hybrid", "exchange")


def cuts(step, workers):
    """Where the parts of a step end: uneven, and in turn one worker has nothing, or all but one."""
    rng = np.random.default_rng([SEED, step, workers])
    ends = np.sort(rng.integers(0, 13, workers - 1))
    if step % 5 == 0:
        ends[:] = 0 if step % 2 else 12
    return [0, *ends.tolist(), 12]


def program(comm, job, batches):
    """A rank of the job, with parts cut by hand; gives (weighted losses, state), or a server's rows."""
    is_server = comm.rank >= job.workers
    group = comm.split(int(is_server))
    if is_server:
        return serve(comm, KVServer(job.kv_tables(), comm.rank - job.workers, job.num_servers, range(job.workers)))
    kv = KVWorker(comm, range(job.workers, job.world_size), job.kv_tables()) if job.num_servers else None
    trainer = Trainer(job.worker_model(kv, group), job.strategy, group, job.optimizer, kv, **job.options)
    parts = [batch.rows(*cuts(i, job.workers)[group.rank:group.rank + 2]) for i, batch in enumerate(batches)]
    sums = []
    for part, upcoming in zip(parts, [*parts[1:], None]):
        trainer.step(part, 12, upcoming)
        sums.append(trainer.loss_sum)
    state = trainer.state_dict()
    if kv:
        kv.goodbye()
    return sums, state


@pytest.fixture(scope="module")
def reference():
    return run_job(SimWorld(1), Job(strategy="single", workers=1, **SHAPE), BATCHES)


def check(job, results, reference):
    workers = results[:job.workers]
    losses = [math.fsum(parts) / 12 for parts in zip(*[sums for sums, _ in workers])]
    assert max(abs(a - b) for a, b in zip(losses, reference.losses, strict=True)) < 1e-5, f"seed {SEED}"
    for _, state in workers:
        assert set(state) == set(reference.state)
        assert max(float((state[n] - reference.state[n]).abs().max()) for n in state) < 1e-4, f"seed {SEED}"


@pytest.mark.parametrize(("strategy", "workers"), [
    pytest.param(s, k, marks=() if k == 3 and s in ("hybrid", "exchange") else pytest.mark.long)
    for s in WORKERS for k in (1, 2, 3)])
def test_uneven_parts(strategy, workers, reference):
    job = Job(strategy=strategy, workers=workers, servers=2, **SHAPE)
    sizes = [np.diff(cuts(i, workers)) for i in range(STEPS)]
    assert workers == 1 or (any(0 in each for each in sizes) and len({len(set(each)) for each in sizes}) > 1)
    check(job, SimWorld(job.world_size).run(program, job, BATCHES).results, reference)


@pytest.mark.long
def test_uneven_parts_exchanged_by_processes(reference):
    job = Job(strategy="exchange", workers=2, servers=0, pipelined=True, **SHAPE)
    with ProcessWorld(2) as world:
        check(job, world.run(program, job, BATCHES).results, reference)


@pytest.mark.long
@pytest.mark.parametrize("strategy", WORKERS)
def test_uneven_parts_in_processes(strategy, reference):
    job = Job(strategy=strategy, workers=2, servers=2, **SHAPE)
    with ProcessWorld(job.world_size) as world:
        check(job, world.run(program, job, BATCHES).results, reference)


def test_an_exchange_over_any_plan(reference):
    """Rows by hash, columns, and replicas of both kinds: the trainer does not care where the owners are."""
    names = [table.name for table in SHAPE["tables"]]
    plan = dict(zip(names, (Sharding("row_wise", by="hash"), Sharding("data_parallel"), Sharding("column_wise"))))

    def worker(comm):
        job = Job(strategy="exchange", **SHAPE)
        rows = ShardedEmbeddingBagCollection(job.tables, comm, plan, job.optimizer, init=job.init)
        trainer = Trainer(job.model(rows), "exchange", comm, job.optimizer)
        for batch in BATCHES[:10]:
            trainer.step(batch.shard(comm.rank, 2), 12)
        return trainer.state_dict()

    ten = run_job(SimWorld(1), Job(strategy="single", workers=1, **SHAPE), BATCHES[:10])
    for state in SimWorld(2).run(worker).results:
        for name, value in ten.state.items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5)


class Fresh(KVServer):
    """Notes, of every answered pull, how many rounds of other workers it did not see."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ages = []

    def _answer(self, asked, *more):
        self.ages.append(asked.clock - self.min_clock)
        return super()._answer(asked, *more)


@pytest.mark.parametrize("consistency", [SSP(2), BoundedDelay(2)])
def test_rows_of_tables_that_are_stale_within_a_bound(consistency, reference):
    """The hybrid takes whatever its tables promise; what is pulled is never older than SSP's bound."""
    job = Job(**SHAPE)

    def rank(comm):
        tables = table_configs(job.tables, job.optimizer, init=job.init, consistency=consistency)
        group = comm.split(int(comm.rank >= 2))
        if comm.rank >= 2:
            server = Fresh(tables, 0, 1, range(2))
            serve(comm, server)
            return server.ages
        with KVWorker(comm, [2], tables) as kv:
            trainer = Trainer(job.worker_model(kv), "hybrid", group, job.optimizer, kv)
            return [trainer.step(batch.shard(group.rank, 2)) for batch in BATCHES[:25]]

    *losses, ages = SimWorld(3).run(rank).results
    assert len(ages) == 2 * 25
    assert max(ages) <= 2
    mean = np.mean(losses, axis=0)
    assert np.abs(mean - reference.losses[:25]).max() < 0.1      # asynchronous, and yet it learns
    assert np.abs(mean - reference.losses[:25]).max() > 1e-5     # nearly the same: not in rounds


def test_refusals():
    config = [EmbeddingBagConfig(4, 2, "a")]

    def rank(comm):
        job = Job(strategy="exchange", **SHAPE)
        with pytest.raises(ValueError, match="strategy 'exchange' needs a model whose embeddings"):
            Trainer(job.local_model(), "exchange", comm)
        other = comm.split(0)
        with pytest.raises(ValueError, match="with the same comm as its backend"):
            Trainer(job.worker_model(None, other), "exchange", comm)
        with pytest.raises(ValueError, match="rule=None"):
            ShardedEmbeddingBagCollection(config, comm, {"a": Sharding("table_wise", 0)})

    SimWorld(1).run(rank)
    with pytest.raises(ValueError, match="staleness=1; strategy 'exchange' has no servers"):
        Job(strategy="exchange", staleness=1, **SHAPE)
