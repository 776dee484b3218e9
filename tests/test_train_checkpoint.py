"""Checkpoints: n steps are n/2, saved, loaded by new ranks, and n/2 more, to the last bit; and what does not fit."""

import json
import math
import os
import pickle
import shutil

import numpy as np
import pytest
import torch

import pslab.train.checkpoint as checkpoint_module
import pslab.train.checkpoint_files as files
from pslab.comm import SimWorld
from pslab.data import synthetic_click_log
from pslab.embedding import EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding
from pslab.models import DLRM
from pslab.ps import Adam, RowWiseAdaGrad, Uniform
from pslab.train import (
    SGD,
    AdaGrad,
    Checkpoint,
    CheckpointError,
    Checkpoints,
    Job,
    Scheduled,
    Trainer,
    cosine,
    load_checkpoint,
    run_job,
    save_checkpoint,
    tables_of,
    warm_up,
)

LOG = synthetic_click_log(13, train_rows=200, test_rows=10, tables=(20, 8), num_dense=2)
SHAPE = {"tables": tables_of(LOG, 4), "num_dense": 2, "bottom": (6, 4), "top": (6, 1), "seed": 13,
         "init": Uniform(0.5, 13)}
BATCHES = list(LOG.batches(10, 13, 8))
RULE = Scheduled(Adam(0.05), warm_up(3) * cosine(9))         # state, its t, and a rate that depends on t
SINGLE_RULE = Scheduled(AdaGrad(0.2), warm_up(3) * cosine(9))


def job_of(strategy, workers=2, servers=2, **more):
    rule = SINGLE_RULE if strategy == "single" else RULE
    return Job(strategy=strategy, workers=1 if strategy == "single" else workers, servers=servers,
               **{"optimizer": rule, **SHAPE, **more})


def run(job, batches=BATCHES, folder=None, every=4, **more):
    checkpoints = None if folder is None else Checkpoints(folder, every)
    return run_job(SimWorld(job.world_size), job, batches, checkpoints=checkpoints, **more)


def same_state(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- exact resume ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("strategy", "more"), [
    ("single", {}), ("server", {}),
    pytest.param("allreduce", {"workers": 3, "pipelined": True, "bucket_bytes": 100}, marks=pytest.mark.long),
    ("hybrid", {"workers": 3, "clip": 0.2}), ("hybrid", {"staleness": 1, "pipelined": True}),
    ("exchange", {"workers": 3, "pipelined": True})])
def test_n_steps_are_twice_n_halves(strategy, more, tmp_path):
    job = job_of(strategy, **more)
    whole = run(job, folder=tmp_path / "whole" if job.staleness else None)      # there, to wait changes what is seen
    first = run(job, BATCHES[:4], tmp_path / "halves")
    second = run(job, BATCHES, tmp_path / "halves")
    assert (first.first_step, second.first_step) == (0, 4)
    assert first.losses + second.losses == whole.losses
    assert same_state(second.state, whole.state)
    # and a plain state_dict, which loads into the local model
    saved = Checkpoints(tmp_path / "halves").latest()
    assert saved.step == 8
    shapes = {name: parameter.shape for name, parameter in job.dense_model().named_parameters()}
    state = saved.state_dict(job.tables, shapes)
    assert same_state({name: state[name] for name in whole.state}, whole.state)
    job.local_model().load_state_dict(state)


def only_the_model(views, tensors):
    for name, view in views.items():
        if name.startswith("model."):
            view.copy_(tensors[name])


def test_what_is_resumed_without_the_state_is_another_run(tmp_path, monkeypatch):
    """The comparison above sees a rule's state, its t, and the position in the data."""
    job = job_of("hybrid")
    whole = run(job)
    run(job, BATCHES[:4], tmp_path)
    for broken in ("state", "t", "data"):
        with monkeypatch.context() as m:
            batches = BATCHES
            if broken == "data":
                batches = [*BATCHES[:4], *BATCHES[:4]]
            elif broken == "t":
                m.setattr(checkpoint_module, "set_steps", lambda trainer, steps: setattr(trainer, "steps", steps))
            else:
                m.setattr(checkpoint_module, "copy_into", only_the_model)
            assert not same_state(run(job, batches, tmp_path).state, whole.state), broken
            assert len(list(tmp_path.glob("step-*"))) == 2
            shutil.rmtree(tmp_path / "step-00000008")


@pytest.mark.parametrize(("strategy", "before", "after"), [
    ("hybrid", {"servers": 3}, {"servers": 1}), ("exchange", {"workers": 3}, {"workers": 2}),
    *(pytest.param(*each, marks=pytest.mark.long) for each in (
        ("hybrid", {"workers": 3}, {"workers": 1, "servers": 2}), ("server", {"servers": 1}, {"servers": 3}),
        ("allreduce", {"workers": 3}, {"workers": 1})))])
def test_on_other_numbers_of_ranks(strategy, before, after, tmp_path):
    """Rows are taken apart anew; sums of other numbers of workers differ in their last bits and no more."""
    whole = run(job_of(strategy, optimizer=AdaGrad(0.1)))
    run(job_of(strategy, optimizer=AdaGrad(0.1), **before), BATCHES[:4], tmp_path)
    result = run(job_of(strategy, optimizer=AdaGrad(0.1), **after), BATCHES, tmp_path)
    assert result.losses == pytest.approx(whole.losses[4:], abs=1e-5)
    for name, value in whole.state.items():
        torch.testing.assert_close(result.state[name], value, rtol=1e-4, atol=1e-5)
    if strategy == "hybrid" and "servers" in before:         # another number of servers changes no sum at all
        assert same_state(result.state, whole.state)


def test_single_goes_on_from_what_all_reduce_saved(tmp_path):
    run(job_of("allreduce", optimizer=AdaGrad(0.1)), BATCHES[:4], tmp_path)
    result = run(job_of("single", optimizer=AdaGrad(0.1)), BATCHES, tmp_path)
    assert result.losses == pytest.approx(run(job_of("single", optimizer=AdaGrad(0.1))).losses[4:], abs=1e-5)


def test_generators_go_on(tmp_path):
    """Dropout in every step, from torch's generator; and a draw of each worker's own."""
    def program(comm, steps, start):
        job = job_of("allreduce", optimizer=SGD(0.5))
        model = job.local_model()
        model.top = torch.nn.Sequential(torch.nn.Dropout(0.3), *model.top)
        trainer = Trainer(model, "allreduce", comm, job.optimizer)
        if start:
            load_checkpoint(trainer, Checkpoint(tmp_path / "step-00000003"))
        else:
            torch.manual_seed(5)
        drawn = []
        for batch in BATCHES[trainer.steps:steps]:
            trainer.step(batch.shard(0, 1))
            drawn.append(int(torch.randint(10**9, (), generator=comm.rng)))
            if trainer.steps == 3:
                save_checkpoint(trainer, Checkpoints(tmp_path))
        return drawn, trainer.state_dict()

    kept = torch.get_rng_state()
    try:
        (whole, state), = SimWorld(1).run(program, 6, False).results
        torch.manual_seed(99)
        (after, again), = SimWorld(1).run(program, 6, True).results
    finally:
        torch.set_rng_state(kept)
    assert after == whole[3:]
    assert same_state(state, again)


def test_shards_of_another_plan(tmp_path):
    """Row-wise over three ranks into columns over two: AdaGrad's state goes along; a state by whole rows cannot."""
    tables = [EmbeddingBagConfig(9, 4, "a"), EmbeddingBagConfig(5, 4, "b")]

    def program(comm, rule, plan, load):
        rows = ShardedEmbeddingBagCollection(tables, comm, {t.name: Sharding(**plan) for t in tables}, rule)
        trainer = Trainer(DLRM(2, tables, (4,), (1,), embeddings=rows), "exchange", comm, rule)
        if load:
            load_checkpoint(trainer, Checkpoints(tmp_path).latest())
        else:
            for group in rows.over.groups:
                store = rows.over.stores[id(group)]
                store.rows += torch.arange(store.rows.numel()).view_as(store.rows)
                store.state += np.arange(store.state.size, dtype=np.float32).reshape(store.state.shape)
            save_checkpoint(trainer, Checkpoints(tmp_path))
        merged = rows.over.export() if not load else None
        return {t.name: rows.rows(t.name) for t in tables}, merged, rows.over.export()

    by_rows, by_columns = {"kind": "row_wise", "by": "hash"}, {"kind": "column_wise"}
    saved = SimWorld(3).run(program, AdaGrad(0.1), by_rows, False).results
    loaded = SimWorld(2).run(program, AdaGrad(0.1), by_columns, True).results
    for name in ("a", "b"):
        assert torch.equal(saved[0][0][name], loaded[0][0][name])
        whole = {int(i): row for _, parts, _ in saved for i, row in zip(parts[f"{name}.0.ids"],
                                                                        parts[f"{name}.0.state.sum"])}
        for _, _, parts in loaded:
            lo, hi = parts[f"{name}.0.columns"].tolist()
            for i, row in zip(parts[f"{name}.0.ids"].tolist(), parts[f"{name}.0.state.sum"]):
                assert torch.equal(row, whole[i][lo:hi])
    SimWorld(3).run(program, RowWiseAdaGrad(0.1), by_rows, False)
    with pytest.raises(CheckpointError, match="state 'sum' belongs to columns 0..3 as a whole"):
        SimWorld(2).run(program, RowWiseAdaGrad(0.1), by_columns, True)


# ---- what lies on the disk -------------------------------------------------------------------------------------------

@pytest.fixture
def saved(tmp_path):
    """A checkpoint of a hybrid with two workers and two servers, after 4 steps."""
    run(job_of("hybrid"), BATCHES[:4], tmp_path)
    return Checkpoint(tmp_path / "step-00000004")


def test_files(saved):
    names = sorted(path.name for path in saved.path.iterdir())
    assert names == ["manifest.json", *(f"{role}-{i}.safetensors" for role in ("server", "worker") for i in (0, 1))]
    manifest = json.loads((saved.path / "manifest.json").read_text())
    assert (manifest["step"], manifest["strategy"], manifest["workers"], manifest["servers"]) == (4, "hybrid", 2, 2)
    for path in saved.path.glob("*.safetensors"):
        raw = path.read_bytes()                       # the layout of safetensors, read by hand
        start = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:start])
        assert start % 8 == 0
        assert len(raw) == start + max(each["data_offsets"][1] for each in header.values())
        for each in header.values():
            first, end = each["data_offsets"]
            assert end - first == math.prod(each["shape"]) * {"F32": 4, "I64": 8, "U8": 1}[each["dtype"]]
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, KeyError)):
            pickle.loads(raw)


def test_tensors_of_every_dtype_and_shape(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor(3), "c": torch.empty(0, 4),
               "d": torch.tensor([1.5], dtype=torch.bfloat16), "e": torch.tensor([True, False]),
               "f": torch.tensor([1.0], dtype=torch.float64)}
    entry = files.write_tensors(tmp_path / "x.safetensors", tensors)
    back = files.read_tensors(tmp_path / "x.safetensors", entry)
    for name, tensor in tensors.items():
        assert (back[name].dtype, back[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(back[name], tensor)


def test_only_the_newest_stay(tmp_path):
    run_job(SimWorld(2), job_of("allreduce"), BATCHES, checkpoints=Checkpoints(tmp_path, every=2, keep=3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000006", "step-00000008"]


@pytest.mark.parametrize("when", [pytest.param("worker-0", marks=pytest.mark.long), "server-0",
                                  pytest.param("manifest", marks=pytest.mark.long), "rename"])
def test_a_save_that_is_cut_off_does_not_count(when, tmp_path, monkeypatch):
    """Cut off at every stage of the second save: the first one is there, whole, and the run goes on from it."""
    job = job_of("hybrid")
    whole = run(job)
    run(job, BATCHES[:4], tmp_path)

    def cut(name):
        raise OSError(f"no space left for {name}")

    with monkeypatch.context() as m:
        if when == "rename":
            m.setattr(type(tmp_path), "rename", lambda self, to: cut(self))
        else:
            plain = files.write_aside
            m.setattr(files, "write_aside", lambda file, content: cut(file) if when in str(file) else
                      plain(file, content))
        with pytest.raises(Exception, match="no space left"):
            run(job, BATCHES, tmp_path)
    assert [path.name for path in files.complete(tmp_path)] == ["step-00000004"]
    again = run(job, BATCHES, tmp_path)
    assert again.first_step == 4
    assert same_state(again.state, whole.state)
    assert not list(tmp_path.glob(".step*"))


def test_a_save_again_takes_the_place_of_the_one_before(tmp_path):
    run(job_of("allreduce"), BATCHES[:4], tmp_path)
    (tmp_path / "step-00000004" / "stray").write_text("")
    run(job_of("allreduce"), BATCHES[:4], tmp_path, resume=False)
    assert not (tmp_path / "step-00000004" / "stray").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]


# ---- what is damaged, and what does not fit --------------------------------------------------------------------------

def damage(path, how):
    file = path / "server-1.safetensors"
    if how == "missing":
        file.unlink()
    elif how == "cut off":
        os.truncate(file, file.stat().st_size - 5)
    elif how == "a bit":
        raw = bytearray(file.read_bytes())
        raw[-3] ^= 4
        file.write_bytes(raw)
    elif how == "no manifest":
        (path / "manifest.json").unlink()
    elif how == "half a manifest":
        os.truncate(path / "manifest.json", 40)
    else:
        (path / "manifest.json").write_text('{"format": 9}')


@pytest.mark.parametrize(("how", "message"), [
    ("missing", "the file server-1.safetensors is missing; remove step-00000008 to go on from step-00000004"),
    ("cut off", "server-1.safetensors has .* bytes of .*; it was cut off"),
    ("a bit", "server-1.safetensors is damaged: its bytes have another checksum"),
    ("no manifest", "manifest.json is missing"), ("half a manifest", "cannot be read as JSON"),
    ("format", "format=9; this version reads format 1")])
def test_damage_is_told(how, message, tmp_path):
    run(job_of("hybrid"), BATCHES[:4], tmp_path)
    run(job_of("hybrid"), BATCHES, tmp_path)
    damage(tmp_path / "step-00000008", how)
    with pytest.raises(CheckpointError, match=message):
        run(job_of("hybrid"), BATCHES, tmp_path)


OTHER = {"tables": (EmbeddingBagConfig(20, 4, "table0"), EmbeddingBagConfig(9, 4, "bag"))}


@pytest.mark.parametrize(("strategy", "change", "message"), [
    ("hybrid", {"top": (7, 1)}, r"'model.top.0.weight' is float32\[6, 7\] in it, float32\[7, 7\] in the model"),
    ("hybrid", {"top": (6, 5, 1)}, "it lacks 'model.top.4.bias' and"),
    ("hybrid", {"bottom": (4,)}, "the model has no 'model.bottom.2.bias'"),
    ("hybrid", {"optimizer": SGD(0.1)}, "the model has no 'state.exp_avg.bottom.0.bias'|keeps no state"),
    ("hybrid", OTHER, "table 'embedding_d4' has 28 rows in it, 29 in the model"),
    ("server", {"top": (7, 1)}, "table 'dense' has .* rows in it, .* in the model"),
    ("exchange", OTHER, "table 'bag'.*the export lacks 1 of the 9 rows"),
    ("allreduce", OTHER, r"'model.embeddings.tables.bag.weight' is float32\[8, 4\] in it, float32\[9, 4\]"),
    ("allreduce", {"strategy": "exchange"}, "is of strategy 'allreduce'; this trainer's is 'exchange'"),
])
def test_mismatch_is_told(strategy, change, message, tmp_path):
    assert len(SHAPE["tables"]) == 2
    run(job_of(strategy), BATCHES[:4], tmp_path)
    other = job_of(**{"strategy": strategy, **change})
    with pytest.raises(CheckpointError, match=message):
        run(other, BATCHES, tmp_path)


def test_refusals(tmp_path, saved):
    for change, message in (({"every": 0}, "every=0; a whole number from 1"), ({"keep": True}, "keep=True")):
        with pytest.raises(ValueError, match=message):
            Checkpoints(tmp_path, **change)
    assert Checkpoints(tmp_path / "none").latest() is None
    with pytest.raises(CheckpointError, match="there is no such folder; beside it there are: step-00000004"):
        Checkpoint(tmp_path / "step-00000005")
    with pytest.raises(CheckpointError, match="it has no file worker-7.safetensors"):
        saved.read("worker-7")
    with pytest.raises(CheckpointError, match="of step 4; there are only 3 batches"):
        run(job_of("hybrid"), BATCHES[:3], tmp_path)
    line = torch.nn.Linear(1, 1)
    strategy = type("Own", (), {"before": None, "after": None, "sync": None})()
    for name in ("before", "after", "sync"):
        setattr(strategy, name, lambda *_: None)
    with pytest.raises(ValueError, match="checkpoints are for the named strategies"):
        save_checkpoint(Trainer(line, strategy), Checkpoints(tmp_path))
