"""The Trainer's face, its parts, and the job's options."""

import pytest
import torch

from pslab.comm import SimWorld
from pslab.data import synthetic_click_log
from pslab.embedding import EmbeddingBagCollection, ShardedEmbeddingBagCollection
from pslab.models import DLRM
from pslab.ps import Integers, KVServer, KVWorker, Uniform, serve
from pslab.train import LOSSES, SGD, AdaGrad, Given, Job, Trainer, run_job, tables_of
from pslab.train.flat import Flat, flat_values

LOG = synthetic_click_log(3, train_rows=600, test_rows=60, tables=(20, 10), num_dense=2)
SHAPE = {"tables": tables_of(LOG, 4), "num_dense": 2, "bottom": (6, 4), "top": (6, 1), "seed": 2}
BATCHES = list(LOG.batches(24, 1, 6))


def single(**more):
    return run_job(SimWorld(1), Job(strategy="single", workers=1, **SHAPE, **more), BATCHES)


def run(strategy, workers=2, servers=2, batches=BATCHES, **more):
    job = Job(strategy=strategy, workers=workers, servers=servers, **{**SHAPE, **more})
    return run_job(SimWorld(job.world_size), job, batches)


# ---- optimizers and losses against torch -----------------------------------------------------------------------------

@pytest.mark.parametrize("rule", [SGD(0.3), AdaGrad(0.1), AdaGrad(0.1, eps=0.05),
                                  AdaGrad(0.1, initial_accumulator=0.2)])
def test_single_is_plain_torch(rule):
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    if isinstance(rule, SGD):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    else:
        optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1, eps=rule.eps,
                                        initial_accumulator_value=rule.initial_accumulator)
    losses = []
    for batch in BATCHES:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch.dense, batch.sparse), batch.labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    result = single(optimizer=rule)
    assert result.losses == pytest.approx(losses, abs=1e-6)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(result.state[name], value)


@pytest.mark.parametrize("rule", [AdaGrad(0.1, eps=0.05), AdaGrad(0.1, initial_accumulator=0.2)])
@pytest.mark.parametrize("strategy", ["allreduce", "server", "hybrid"])
def test_every_option_of_the_rule_reaches_every_place(strategy, rule):
    theirs, ours = single(optimizer=rule), run(strategy, optimizer=rule)
    plain = single(optimizer=AdaGrad(0.1))
    for name, value in theirs.state.items():
        torch.testing.assert_close(ours.state[name], value, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(value, plain.state[name], rtol=1e-2, atol=1e-3), name


def test_losses():
    logits, labels = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 0.0])
    assert float(LOSSES["linear"](logits, labels)) == -2 - 1 + 0.5
    assert float(LOSSES["squared"](logits, labels)) == (1 + 1 + 0.25) / 2
    expected = torch.nn.functional.binary_cross_entropy(torch.sigmoid(logits), labels, reduction="sum")
    torch.testing.assert_close(LOSSES["logistic"](logits, labels), expected)


def test_the_loss_is_used():
    finals = [run("hybrid", loss=loss).state["top.0.bias"] for loss in LOSSES]
    assert not torch.equal(finals[0], finals[1])
    assert not torch.equal(finals[1], finals[2])


# ---- flat parameters -------------------------------------------------------------------------------------------------

def test_flat_parameters_share_memory():
    layer = torch.nn.Linear(3, 2)
    before = flat_values(layer.parameters())
    flat = Flat(layer.parameters())
    assert torch.equal(flat.values, before)
    flat.values += 1
    assert torch.equal(layer.weight.reshape(-1), before[:6] + 1)
    layer(torch.tensor([[1.0, 2.0, 3.0]])).sum().backward()
    assert flat.grads.tolist() == [1, 2, 3, 1, 2, 3, 1, 1]
    layer(torch.tensor([[1.0, 2.0, 3.0]])).sum().backward()
    assert flat.grads.tolist() == [2, 4, 6, 2, 4, 6, 2, 2]
    flat.zero_grads()
    assert not layer.weight.grad.any()
    assert len(flat) == 8


def test_given_rows():
    init = Given(torch.arange(6.0).numpy())
    assert init.rows(range(2, 4), 1).tolist() == [[2], [3]]
    assert init.rows([5, 0], 1).tolist() == [[5], [0]]


# ---- the Trainer alone ---------------------------------------------------------------------------------------------

def live(comm, strategy):
    """Two workers, two servers: the Trainer used by hand, as in a chapter."""
    job = Job(strategy=strategy, **SHAPE)
    group = comm.split(int(comm.rank >= 2))
    if comm.rank >= 2:
        return serve(comm, KVServer(job.kv_tables(), comm.rank - 2, 2, range(2)))
    with KVWorker(comm, [2, 3], job.kv_tables()) as kv:
        trainer = Trainer(job.worker_model(kv), strategy, group, job.optimizer, kv)
        losses = [trainer.step(batch.shard(group.rank, 2)) for batch in BATCHES]
        return losses, trainer.state_dict(), trainer.predict(LOG.test)


@pytest.mark.parametrize("engine", ["threads", "greenlets"])
@pytest.mark.parametrize("strategy", ["server", "hybrid"])
def test_step_predict_and_state_with_servers(strategy, engine):
    results = SimWorld(4, engine=engine).run(live, strategy).results[:2]
    reference = single()
    for i, loss in enumerate(reference.losses):
        assert (results[0][0][i] + results[1][0][i]) / 2 == pytest.approx(loss, abs=1e-5)
    logits = reference.model()(LOG.test.dense, LOG.test.sparse).detach()
    for _, state, predicted in results:
        assert set(state) == set(reference.state)
        for name, value in reference.state.items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(predicted, logits, rtol=1e-4, atol=1e-5)


def test_state_is_a_copy_and_loads():
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    trainer = Trainer(model)
    trainer.step(BATCHES[0])
    state = trainer.state_dict()
    kept = {name: value.clone() for name, value in state.items()}
    before = trainer.predict(LOG.test)
    trainer.step(BATCHES[1])
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    assert not torch.equal(trainer.predict(LOG.test), before)
    model.load_state_dict(state)
    assert torch.equal(trainer.predict(LOG.test), before)
    assert not before.requires_grad


def test_step_gives_the_mean_over_its_part():
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    with torch.no_grad():
        logits = model(BATCHES[0].dense, BATCHES[0].sparse)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, BATCHES[0].labels)
    assert Trainer(model).step(BATCHES[0]) == pytest.approx(float(expected), abs=1e-6)


def test_parts_of_different_sizes_need_the_global_size():
    """24 rows as 20 + 4: with global_size each row weighs the same, without it the small part weighs more."""
    def program(comm, with_size):
        model = Job(strategy="allreduce", **SHAPE).local_model()
        trainer = Trainer(model, "allreduce", comm, SGD(0.5))
        part = BATCHES[0].rows(0, 20) if comm.rank == 0 else BATCHES[0].rows(20, 24)
        trainer.step(part, 24 if with_size else None)
        return trainer.state_dict()

    reference = Trainer(Job(strategy="single", workers=1, **SHAPE).local_model(), optimizer=SGD(0.5))
    reference.step(BATCHES[0])
    expected = reference.state_dict()["top.0.weight"]
    torch.testing.assert_close(SimWorld(2).run(program, True).results[1]["top.0.weight"], expected)
    assert not torch.allclose(SimWorld(2).run(program, False).results[1]["top.0.weight"], expected)


# ---- the job's options -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [
    {"seed": 3}, {"bottom": (5, 4)}, {"top": (5, 1)}, {"optimizer": SGD(0.1)}, {"init": Uniform(0.3, 1)},
    {"dense_init": Uniform(0.3, 1)}, {"loss": "squared"}, {"tables": tables_of(LOG, 4)[:1]}])
@pytest.mark.parametrize("strategy", ["single", "server"])
def test_every_option_of_a_job_matters(strategy, change):
    batches = BATCHES[:2]
    workers = 1 if strategy == "single" else 2
    plain, changed = (run(strategy, workers, batches=batches, **more) for more in ({}, change))
    assert plain.losses[1] != changed.losses[1]


def test_dense_init_fills_all_dense_parameters():
    model = Job(dense_init=Integers(1, 4), **SHAPE).dense_model()
    values = flat_values(model.dense_parameters())
    assert set(values.tolist()) == {1, 2, 3}


def test_workers_and_servers_are_started():
    for strategy, ranks in (("allreduce", 3), ("server", 5), ("hybrid", 5)):
        result = run(strategy, 3, 2)
        assert result.job.world_size == ranks == len(result.run.results)
        assert len(result.worker_stats) == 3
        assert len(result.server_stats) == ranks - 3
        assert result.samples == 6 * 24


def test_reports():
    seen = []
    job = Job(strategy="hybrid", **SHAPE)
    run_job(SimWorld(4), job, BATCHES, report_every=4, on_report=lambda rank, value: seen.append((rank, *value)))
    assert [(rank, step) for rank, step, _ in seen] == [(0, 4), (0, 6)]
    run_job(SimWorld(4), job, BATCHES, on_report=lambda rank, value: seen.append(value))
    assert len(seen) == 2


def test_trained_model():
    result = run("hybrid")
    model = result.model()
    assert isinstance(model, DLRM)
    assert isinstance(model.embeddings, EmbeddingBagCollection)
    assert all(torch.equal(value, result.state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("change", "message"), [
    ({"strategy": "ring"}, "strategy='ring'; allowed: single, allreduce, server, hybrid"),
    ({"loss": "hinge"}, "loss='hinge'; allowed: linear, logistic, squared"),
    ({"workers": 0}, "workers=0"),
    ({"workers": 1.5}, "workers=1.5"),
    ({"servers": 0}, "servers=0.*at least 1 is needed by strategy 'hybrid'"),
    ({"servers": -1, "strategy": "allreduce"}, "servers=-1"),
    ({"strategy": "single", "workers": 2}, "workers=2; strategy 'single' is one process"),
    ({"bottom": (8, 3)}, "bottom=\\(8, 3\\) ends in 3"),
    ({"num_dense": 0}, "num_dense=0"),
])
def test_jobs_that_cannot_run(change, message):
    with pytest.raises(ValueError, match=message):
        Job(**{**SHAPE, **change})


def test_no_servers_are_needed_without_server_strategy():
    assert Job(**{**SHAPE, "strategy": "allreduce", "servers": 0}).world_size == 2


def test_batches_that_do_not_fit():
    job = Job(strategy="allreduce", **SHAPE)
    with pytest.raises(ValueError, match=r"batches\[1\] has no rows"):
        run_job(SimWorld(2), job, [BATCHES[0], BATCHES[0].rows(0, 0)])
    other = synthetic_click_log(3, train_rows=20, test_rows=5, tables=(20, 10), num_dense=3)
    with pytest.raises(ValueError, match=r"batches\[0\] has 3 dense features; the job has num_dense=2"):
        run_job(SimWorld(2), job, [other.train])
    other = synthetic_click_log(3, train_rows=20, test_rows=5, tables=(20, ), num_dense=2)
    with pytest.raises(ValueError, match=r"batches\[0\] lacks feature 'table0'; it has bag"):
        run_job(SimWorld(2), job, [other.train])


def test_a_world_of_the_wrong_size():
    with pytest.raises(ValueError, match=r"world_size=|per_rank"):
        run_job(SimWorld(3), Job(strategy="hybrid", **SHAPE), BATCHES)


def test_trainers_that_cannot_work():
    model = Job(strategy="single", workers=1, **SHAPE).local_model()
    with pytest.raises(ValueError, match="strategy='ring'"):
        Trainer(model, "ring")
    with pytest.raises(ValueError, match="loss='hinge'"):
        Trainer(model, loss="hinge")
    with pytest.raises(ValueError, match="comm=None; strategy 'allreduce'"):
        Trainer(model, "allreduce")
    with pytest.raises(ValueError, match="at least 1 and the 24 rows"):
        Trainer(model).step(BATCHES[0], 23)

    def program(comm):
        kv = KVWorker(comm, [1], Job(**SHAPE).kv_tables())
        if comm.rank == 0:
            sharded = Job(**SHAPE).model(ShardedEmbeddingBagCollection(SHAPE["tables"], kv))
            with pytest.raises(ValueError, match="kv=None; strategy 'hybrid'"):
                Trainer(sharded, "hybrid", comm)
            with pytest.raises(ValueError, match="ShardedEmbeddingBagCollection over the same kv"):
                Trainer(model, "hybrid", comm, kv=kv)
            with pytest.raises(ValueError, match="needs a local"):
                Trainer(sharded, "allreduce", comm)

    SimWorld(2).run(program)
