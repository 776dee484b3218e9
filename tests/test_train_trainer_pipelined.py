"""Pipelined steps: the same numbers to the last bit, in less virtual time; each part alone when it is disconnected."""

import itertools

import pytest
import torch
from torch import nn

from pslab.collectives import all_reduce
from pslab.comm import Link, SimWorld
from pslab.data import Batch, KeyedJaggedTensor, synthetic_click_log
from pslab.ps import BSP, SSP, KVServer, KVWorker, Uniform, serve
from pslab.train import SGD, AdaGrad, Job, Trainer, run_job, tables_of
from pslab.train.pipelined import bucket_stretches

LOG = synthetic_click_log(5, train_rows=300, test_rows=10, tables=(30, 12), num_dense=2)
SHAPE = {"tables": tables_of(LOG, 4), "num_dense": 2, "bottom": (8, 4), "top": (8, 1), "seed": 5,
         "init": Uniform(1.0, 5), "dense_init": Uniform(0.8, 3)}
BATCHES = list(LOG.batches(20, 5, 8))


# ---- the same numbers ------------------------------------------------------------------------------------------------

def same_bits(one, other):
    return one.losses == other.losses and one.state.keys() == other.state.keys() and \
        all(torch.equal(one.state[name], other.state[name]) for name in one.state)


@pytest.mark.parametrize("strategy", [pytest.param("allreduce", marks=pytest.mark.long),
                                      pytest.param("server", marks=pytest.mark.long), "hybrid", "exchange"])
@pytest.mark.parametrize(("workers", "bucket_bytes"), [pytest.param(2, None, marks=pytest.mark.long), (3, 100)])
def test_bit_for_bit_as_unpipelined(strategy, workers, bucket_bytes):
    plain, pipelined = (run_job(SimWorld(workers + job.num_servers), job, BATCHES) for job in (
        Job(strategy=strategy, workers=workers, optimizer=AdaGrad(0.1), bucket_bytes=bucket_bytes, pipelined=each,
            clip=1.0 if workers == 3 else None, **SHAPE) for each in (False, True)))
    assert same_bits(plain, pipelined)


@pytest.mark.long
def test_a_cut_elsewhere_gives_other_bits():
    """Why bucket_bytes must be equal for the comparison above: with three workers a ring's sums depend on its cut."""
    results = [run_job(SimWorld(3), Job(strategy="allreduce", workers=3, optimizer=AdaGrad(0.1), bucket_bytes=each,
                                        **SHAPE), BATCHES) for each in (None, 100)]
    assert not same_bits(*results)
    assert results[0].losses == pytest.approx(results[1].losses, abs=1e-5)


def test_stretches_by_hand():
    stretches, members = bucket_stretches([6, 3, 20, 2, 2], 16)
    assert stretches == [slice(29, 33), slice(9, 29), slice(6, 9), slice(0, 6)]
    assert members == [[4, 3], [2], [1], [0]]
    assert bucket_stretches([6, 3], None) == ([slice(0, 9)], [[1, 0]])
    assert bucket_stretches([], 8) == ([], [])


# ---- time: backward and rings ----------------------------------------------------------------------------------------

class Spend(torch.autograd.Function):
    """The identity, whose backward takes `seconds` of the simulator's clock."""

    @staticmethod
    def forward(ctx, x, comm, seconds):
        ctx.comm, ctx.seconds = comm, seconds
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        ctx.comm.compute(ctx.seconds)
        return grad, None, None


class Tower(nn.Module):
    """Layers of 64 x 64; the gradients of each are there when its backward has taken `seconds`."""

    def __init__(self, comm, layers, seconds):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64, 64, bias=False) for _ in range(layers))
        self.comm, self.seconds = comm, seconds

    def forward(self, dense, sparse):
        for layer in self.layers:
            dense = Spend.apply(layer(dense), self.comm, self.seconds)
        return dense.sum(dim=1)


def rows_of(n):
    return Batch(torch.ones(n, 64), KeyedJaggedTensor(["a"], [0] * n, [1] * n), torch.ones(n))


def tower_seconds(layers, seconds, pipelined, link):
    def program(comm):
        trainer = Trainer(Tower(comm, layers, seconds), "allreduce", comm, SGD(0.0), pipelined=pipelined,
                          bucket_bytes=64 * 64 * 4)
        trainer.step(rows_of(2))
    return SimWorld(2, link=link).run(program).seconds


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
def test_rings_overlap_backward(ratio):
    """T <= max(compute, comm) + one layer of each, and the sum of both where they are not overlapped."""
    layers, link = 6, Link(latency_s=1e-6, bandwidth_Bps=1e4)
    ring_s = SimWorld(2, link=link).run(lambda comm: all_reduce(comm, torch.zeros(64 * 64))).seconds
    backward_s = ring_s * ratio
    compute, comm = layers * backward_s, layers * ring_s
    eps = 0.02 * (compute + comm)
    overlapped = tower_seconds(layers, backward_s, True, link)
    assert max(compute, comm) <= overlapped <= max(compute, comm) + min(backward_s, ring_s) + eps
    one_by_one = tower_seconds(layers, backward_s, False, link)
    assert one_by_one == pytest.approx(compute + comm, rel=0.02)


# ---- time: rows of the next batch -----------------------------------------------------------------------------------

def hybrid_seconds(pipelined, told, *, rows_ahead=0, steps=6, forward_s=0.0):
    """A step of the hybrid where a ring takes 20 latencies; told: whether step hears of the batch after it."""
    latency_s, job = 1e-3, Job(optimizer=SGD(0.1), servers=1, **SHAPE)
    tables = job.kv_tables()

    def program(comm):
        group = comm.split(int(comm.rank >= 2))
        if comm.rank >= 2:
            return serve(comm, KVServer(tables, 0, 1, range(2)))
        with KVWorker(comm, [2], tables) as kv:
            model = job.worker_model(kv)
            trainer = Trainer(model, "hybrid", group, job.optimizer, kv, pipelined=pipelined, rows_ahead=rows_ahead)
            trainer._strategy.dense.comm = trainer._strategy.dense.buckets.comm = Slow(group, 20 * latency_s)
            model.bottom.register_forward_hook(lambda *_: comm.compute(forward_s))
            parts = [batch.shard(group.rank, 2) for batch in BATCHES[:steps]]
            before = comm.now()
            for part, upcoming in zip(parts, [*parts[1:], None]):
                trainer.step(part, 20, upcoming if told else None)
            return (comm.now() - before) / steps / latency_s

    link = Link(latency_s=latency_s, overhead_s=0, bandwidth_Bps=1e12)
    return SimWorld(3, link=link).run(program).results[0]


class Slow:
    """A comm whose collectives take `seconds`, in the background too: a large dense part, without its arithmetic."""

    def __init__(self, comm, seconds):
        self._comm, self._seconds = comm, seconds

    def __getattr__(self, name):
        return getattr(self._comm, name)

    def background(self, call, *tensors, **options):
        def slowly(twin, *given):
            twin.sleep(self._seconds)
            return call(twin, *given)
        return self._comm.background(slowly, *tensors, **options)

    def calling(self, *arguments):
        self._comm.sleep(self._seconds)
        return self._comm.calling(*arguments)


def test_rows_are_asked_for_while_the_ring_turns():
    """In latencies: rows 2, ring 20 + 2, end of the round 2. Told of the next batch, a step costs the ring alone."""
    plain, deaf, told = (hybrid_seconds(*each) for each in ((False, True), (True, False), (True, True)))
    assert plain == pytest.approx(26, abs=0.5)
    assert deaf == pytest.approx(24, abs=0.5)          # the round ends meanwhile, rows wait for the ring
    assert told == pytest.approx(22, abs=0.9)          # the first batch's rows were asked for by nobody


def test_rows_one_round_ahead_are_asked_for_before_the_forward():
    """The forward takes 30 latencies, and nothing of rows is left on the way after it."""
    late, early = (hybrid_seconds(True, True, rows_ahead=each, forward_s=30e-3) for each in (0, 1))
    assert early <= late + 0.01


# ---- rows one round ahead: exactly one round old --------------------------------------------------------------------

def test_one_ahead_under_bsp_is_a_staleness_of_exactly_one():
    job = Job(workers=2, servers=2, optimizer=SGD(0.5), staleness=1, pipelined=True, **SHAPE)
    assert job.rows_ahead == 1
    assert all(isinstance(table.consistency, BSP) for table in job.kv_tables())
    assert Job(staleness=3, pipelined=True, **SHAPE).kv_tables()[0].consistency == SSP(2)
    result = run_job(SimWorld(4), job, BATCHES)

    model = Job(strategy="single", workers=1, **SHAPE).local_model()      # the oracle: rows of one step before
    rows = {name: [p.detach().clone()] for name, p in model.embeddings.named_parameters()}
    losses = []
    for step, batch in enumerate(BATCHES):
        with torch.no_grad():
            for name, p in model.embeddings.named_parameters():
                p.copy_(rows[name][max(0, step - 1)])
        model.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch.dense, batch.sparse), batch.labels)
        loss.backward()
        losses.append(float(loss.detach()))
        with torch.no_grad():
            for p in model.dense_parameters():
                p -= 0.5 * p.grad
            for name, p in model.embeddings.named_parameters():
                rows[name].append(rows[name][-1] - 0.5 * p.grad)
    assert result.losses == pytest.approx(losses, abs=1e-5)
    fresh = run_job(SimWorld(4), Job(workers=2, servers=2, optimizer=SGD(0.5), **SHAPE), BATCHES)
    assert max(abs(a - b) for a, b in zip(fresh.losses, losses)) > 1e-3


# ---- what was asked for and is not used ------------------------------------------------------------------------------

@pytest.mark.parametrize("strategy", ["hybrid", "exchange"])
def test_a_batch_that_does_not_come(strategy):
    """Told of one batch and given another: the answer is taken back, and the numbers are those of the one given."""
    def program(comm, pipelined):
        job = Job(strategy=strategy, servers=1, optimizer=SGD(0.5), pipelined=pipelined, **SHAPE)
        group = comm.split(int(comm.rank >= 2))
        if comm.rank >= 2:
            return serve(comm, KVServer(job.kv_tables(), 0, 1, range(2)))
        kv = KVWorker(comm, [2], job.kv_tables()) if job.num_servers else None
        trainer = Trainer(job.worker_model(kv, group), strategy, group, job.optimizer, kv, **job.options)
        parts = [batch.shard(group.rank, 2) for batch in BATCHES]
        losses = [trainer.step(part, 20, wrong) for part, wrong in zip(parts, itertools.cycle([parts[7], parts[0]]))]
        trainer.close()
        assert not any(module._ahead or (module.over and module.over._ahead) for module in trainer._sharded)
        if kv:
            kv.goodbye()
        return losses

    ranks = 3 if strategy == "hybrid" else 2
    plain, told = (SimWorld(ranks).run(program, each).results[:2] for each in (False, True))
    assert plain == told


def test_a_bad_batch_asked_for_ahead_is_told_at_its_forward():
    def program(comm):
        job = Job(strategy="exchange", optimizer=SGD(0.5), pipelined=True, **SHAPE)
        trainer = Trainer(job.worker_model(None, comm), "exchange", comm, job.optimizer, pipelined=True)
        good = BATCHES[0].shard(comm.rank, 2)
        bad = Batch(good.dense, KeyedJaggedTensor(good.sparse.keys, good.sparse.values + 30 * comm.rank,
                                                  good.sparse.lengths), good.labels)
        trainer.step(good, 20, bad)
        with pytest.raises(ValueError, match="table .* has rows 0"):
            trainer.step(bad, 20)
        return trainer.step(good, 20)

    assert all(loss > 0 for loss in SimWorld(2).run(program).results)


@pytest.mark.parametrize(("options", "message"), [
    ({"pipelined": 1}, "pipelined=1; True or False"),
    ({"strategy": "single", "workers": 1, "pipelined": True}, "pipelined=True with strategy 'single'"),
    ({"bucket_bytes": 0}, "bucket_bytes=0; a number from 1"),
])
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Job(**SHAPE, **options)
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    with pytest.raises(ValueError, match="rows_ahead=2; 0 or 1"):
        Trainer(model, rows_ahead=2)
    with pytest.raises(ValueError, match="rows_ahead=1 with strategy 'single'"):
        Trainer(model, rows_ahead=1)
