"""All strategies follow the single process: to 1e-5 on real numbers, bit for bit where every sum is exact."""

import numpy as np
import pytest
import torch

import pslab.train.run as run_module
import pslab.train.strategies as strategies_module
from pslab.comm import ProcessWorld, SimWorld
from pslab.data import Batch, KeyedJaggedTensor, synthetic_click_log
from pslab.embedding import EmbeddingBagConfig
from pslab.ps import Integers, KVServer, KVWorker, Uniform
from pslab.train import SGD, AdaGrad, Job, Trainer, run_job, tables_of

SIZES = [(1, 1), (2, 2), (3, 1)]            # workers, servers
STRATEGIES = ["allreduce", "server", "hybrid"]
SEED = 11


def only(size):
    """In real processes this size; the others in the long run."""
    return [pytest.param(*each, marks=() if each == size else pytest.mark.long, id=f"{each[0]}-{each[1]}")
            for each in SIZES]


@pytest.fixture(scope="module")
def worlds():
    """One warm world of processes per size."""
    made = {}
    yield lambda size: made.setdefault(size, None) or made.update({size: ProcessWorld(size)}) or made[size]
    for world in made.values():
        world.close()


# ---- real numbers: 50 steps, losses within 1e-5 -------------------------------------------------------------------

@pytest.fixture(scope="module")
def clicks():
    """(job arguments, 50 global batches of 48 rows) of a small click log."""
    log = synthetic_click_log(SEED, train_rows=2400, test_rows=10, tables=(40, 25, 12), num_dense=3)
    arguments = {"tables": tables_of(log, 8), "num_dense": 3, "bottom": (16, 8), "top": (16, 1), "seed": SEED,
                 "init": Uniform(0.5, SEED)}
    return arguments, list(log.batches(48, SEED, 50))


@pytest.fixture(scope="module")
def references(clicks):
    arguments, batches = clicks
    return {rule: run_job(SimWorld(1), Job(strategy="single", workers=1, optimizer=rule, **arguments), batches)
            for rule in (AdaGrad(0.05), SGD(2.0))}


def largest_gap(result, reference):
    losses = max(abs(a - b) for a, b in zip(result.losses, reference.losses, strict=True))
    assert set(result.state) == set(reference.state)
    return losses, max(float((result.state[n] - reference.state[n]).abs().max()) for n in reference.state)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("workers", "servers"), SIZES)
@pytest.mark.parametrize("rule", [AdaGrad(0.05), SGD(2.0)], ids=["adagrad", "sgd"])
def test_follows_the_single_process_in_the_simulator(strategy, workers, servers, rule, clicks, references):
    arguments, batches = clicks
    job = Job(strategy=strategy, workers=workers, servers=servers, optimizer=rule, **arguments)
    result = run_job(SimWorld(job.world_size), job, batches)
    losses, state = largest_gap(result, references[rule])
    assert len(result.losses) == 50
    assert losses < 1e-5, f"seed {SEED}"
    assert state < 1e-4, f"seed {SEED}"
    begin = job.local_model().state_dict()      # the comparison means something: every part moved far beyond 1e-4
    assert min(float((result.state[name] - begin[name]).abs().max()) for name in begin) > 1e-2


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("workers", "servers"), only((2, 2)))
def test_follows_the_single_process_in_processes(strategy, workers, servers, clicks, references, worlds):
    arguments, batches = clicks
    job = Job(strategy=strategy, workers=workers, servers=servers, optimizer=AdaGrad(0.05), **arguments)
    losses, state = largest_gap(run_job(worlds(job.world_size), job, batches), references[AdaGrad(0.05)])
    assert losses < 1e-5, f"seed {SEED}"
    assert state < 1e-4, f"seed {SEED}"


def test_more_workers_than_rows(clicks, references):
    """Parts of no rows at all: the last batches have 2 rows for 3 workers."""
    arguments, batches = clicks
    small = [batch.rows(0, 2) for batch in batches[:5]]
    single = run_job(SimWorld(1), Job(strategy="single", workers=1, **arguments), small)
    for strategy in STRATEGIES:
        job = Job(strategy=strategy, workers=3, servers=1, **arguments)
        assert max(largest_gap(run_job(SimWorld(job.world_size), job, small), single)) < 1e-5


# ---- whole numbers: bit for bit -----------------------------------------------------------------------------------

TABLES = (EmbeddingBagConfig(6, 2, "a"), EmbeddingBagConfig(5, 2, "b"))
EXACT = {"tables": TABLES, "num_dense": 2, "bottom": (2,), "top": (1,), "init": Integers(-1, 2, seed=4),
         "dense_init": Integers(-1, 2, seed=8), "optimizer": SGD(2.0)}


def whole_batches(steps, rows=8):
    """Whole numbers, different in every row; bags with duplicates and empty ones; each id by several workers."""
    rng = np.random.default_rng(SEED)
    batches = []
    for _ in range(steps):
        lengths = np.concatenate([rng.integers(0, 3, rows), np.ones(rows, np.int64)])
        ids = np.concatenate([rng.integers(0, 6, lengths[:rows].sum()), rng.integers(0, 5, rows)])
        dense = rng.integers(-1, 2, (rows, 2)).astype(np.float32)
        labels = rng.integers(0, 2, rows).astype(np.float32)
        batches.append(Batch(dense, KeyedJaggedTensor(["a", "b"], ids, lengths), labels))
    return batches


def single_in_double(loss, batches):
    """The same training in float64: where float32 agrees to the last bit, no sum was rounded."""
    job = Job(strategy="single", workers=1, loss=loss, **EXACT)
    model = job.local_model().double()
    trainer = Trainer(model, "single", optimizer=EXACT["optimizer"], loss=loss)
    losses = []
    for batch in batches:
        wide = Batch(batch.dense, batch.sparse, batch.labels)
        object.__setattr__(wide, "dense", batch.dense.double())
        object.__setattr__(wide, "labels", batch.labels.double())
        trainer.step(wide)
        losses.append(trainer.loss_sum / len(batch))
    return losses, trainer.state_dict()


LOSS_STEPS = {"squared": 2, "linear": 3}    # as many as stay exact in 24 bits


@pytest.fixture(scope="module", params=LOSS_STEPS)
def exact(request):
    loss, batches = request.param, whole_batches(LOSS_STEPS[request.param])
    losses, state = single_in_double(loss, batches)
    begin = Job(strategy="single", workers=1, loss=loss, **EXACT).local_model().state_dict()
    assert all(not torch.equal(begin[name].double(), state[name]) for name in state), "every parameter should move"
    return loss, batches, losses, state


def same_bits(result, exact):
    _, _, losses, state = exact
    return result.losses == losses and all(torch.equal(result.state[name].double(), state[name]) for name in state)


def test_the_single_process_is_exact(exact):
    loss, batches, _, _ = exact
    job = Job(strategy="single", workers=1, loss=loss, **EXACT)
    assert same_bits(run_job(SimWorld(1), job, batches), exact)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("workers", "servers"), SIZES)
def test_bit_for_bit_in_the_simulator(strategy, workers, servers, exact):
    loss, batches, _, _ = exact
    job = Job(strategy=strategy, workers=workers, servers=servers, loss=loss, **EXACT)
    assert same_bits(run_job(SimWorld(job.world_size), job, batches), exact)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("workers", "servers"), only((3, 1)))
def test_bit_for_bit_in_processes(strategy, workers, servers, exact, worlds):
    loss, batches, _, _ = exact
    job = Job(strategy=strategy, workers=workers, servers=servers, loss=loss, **EXACT)
    assert same_bits(run_job(worlds(job.world_size), job, batches), exact)


# ---- planted faults: each must be seen by both comparisons ----------------------------------------------------------

class Unscaled(Trainer):
    """Gradients of the mean over the worker's own part."""

    def step(self, batch, global_size=None, upcoming=None):
        return super().step(batch, max(1, len(batch)), upcoming)


class Deaf(KVServer):
    """Acknowledges worker 1's pushes and forgets them."""

    def handle(self, mail, now_s):
        if mail is not None and mail.kind == "push" and mail.src == 1:
            mail.tensors[-1].zero_()
        return super().handle(mail, now_s)


class Stale(KVWorker):
    """Answers every pull after the first clock with the rows of the beginning."""

    def __init__(self, comm, servers, tables, **settings):
        super().__init__(comm, servers, tables, **settings)
        self._first = {table.name: torch.from_numpy(table.initial_rows()) for table in tables}
        self._asked = {}

    def pull(self, keys, table="default", out=None):
        timestamp = super().pull(keys, table, out)
        self._asked[timestamp] = table, keys
        return timestamp

    def wait(self, timestamp, timeout_s=None):
        rows = super().wait(timestamp, timeout_s)
        table, keys = self._asked.get(timestamp, ("", None))
        if rows is not None and self.current_clock == 1:
            rows[:] = self._first[table][torch.as_tensor(np.asarray(keys))]
        return rows


def plant(monkeypatch, fault):
    if fault == "unscaled":
        monkeypatch.setattr(run_module, "Trainer", Unscaled)
    elif fault == "unsummed":
        monkeypatch.setattr(strategies_module, "all_reduce", lambda comm, tensor: None)
    elif fault == "dropped":
        monkeypatch.setattr(run_module, "KVServer", Deaf)
    else:
        monkeypatch.setattr(run_module, "KVWorker", Stale)


@pytest.mark.parametrize(("strategy", "fault"), [
    *[(strategy, "unscaled") for strategy in STRATEGIES], ("allreduce", "unsummed"), ("hybrid", "unsummed"),
    ("server", "dropped"), ("hybrid", "dropped"), ("server", "stale"), ("hybrid", "stale")])
def test_a_planted_fault_is_seen(strategy, fault, monkeypatch, clicks, references, exact):
    plant(monkeypatch, fault)
    arguments, batches = clicks
    job = Job(strategy=strategy, optimizer=SGD(2.0), **arguments)
    assert largest_gap(run_job(SimWorld(job.world_size), job, batches), references[SGD(2.0)])[0] > 1e-5
    job = Job(strategy=strategy, loss=exact[0], **EXACT)
    assert not same_bits(run_job(SimWorld(job.world_size), job, exact[1]), exact)
