"""pslab train: our engine against one process and TorchRec's figures; TorchRec itself where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pslab import cli
from pslab.comm import ProcessWorld, SimWorld
from pslab.data import Loader
from pslab.engines import EngineJob, EngineResult, check_torchrec, run_ours

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ROOT / ".venv-torchrec" / "bin" / "python"
WITH_TORCHREC = sys.executable if importlib.util.find_spec("torchrec") else str(BESIDE) if BESIDE.exists() else None

# Losses of: python -m torch.distributed.run --standalone --nproc-per-node=2 -m pslab train --engine torchrec --steps 10
# --batch-size 61 --table-rows 40 and what stands with them; torch 2.13.0, torchrec 1.8.0, fbgemm-gpu-cpu 1.8.0.
GOLDEN = {
    ("sgd", 1.0, "cat"): [0.683145, 0.693539, 0.692973, 0.67224, 0.677089, 0.645927, 0.670663, 0.640958, 0.688222,
                          0.685478],
    ("adagrad", 0.05, ""): [0.701323, 0.717857, 0.696627, 0.693034, 0.679275, 0.62858, 0.886037, 0.676894, 0.672203,
                            0.65815],
}


def job_of(optimizer, lr, interaction, **changes):
    fields = {"steps": 10, "batch_size": 61, "table_rows": 40, "optimizer": optimizer, "lr": lr,
              "interaction": interaction}
    return EngineJob(**(fields | changes))


@pytest.mark.parametrize("settings", GOLDEN, ids=str)
@pytest.mark.parametrize("K", [2, 3])
def test_the_losses_that_torchrec_gave(settings, K):
    """61 rows are no multiple of 2 or 3: parts differ, and count by their rows."""
    result = run_ours(job_of(*settings), SimWorld(K, trace=False))
    assert result.losses == pytest.approx(GOLDEN[settings], abs=2e-6)
    assert (result.engine, result.world_size, len(result.step_seconds)) == ("pslab", K, 10)


def test_the_losses_of_one_process_with_torch():
    job = job_of("sgd", 0.5, "dot", steps=6)
    source = job.source()
    model = job.model(source)
    optimizer = torch.optim.SGD(model.parameters(), job.lr)
    losses = []
    for batch, _ in Loader(source, 61, seed=0, at_end="drop").take(6):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(batch.dense, batch.sparse), batch.labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    result = run_ours(job, SimWorld(2, trace=False))
    assert result.losses == pytest.approx(losses, abs=1e-6)
    assert result.losses != pytest.approx(run_ours(job_of("sgd", 0.5, "dot", steps=6, seed=1),
                                                   SimWorld(2, trace=False)).losses, abs=1e-3)


@pytest.mark.long
def test_the_command_in_processes(tmp_path, capsys, monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "losses.json"
    words = ["train", "--workers", "2", "--steps", "10", "--batch-size", "61", "--table-rows", "40", "--lr", "1.0",
             "--interaction", "cat", "--json", str(file)]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "engine pslab" in out
    assert "loss 0.683145" in out
    assert "samples/s" in out
    figures = json.loads(file.read_text())
    assert figures["losses"] == pytest.approx(GOLDEN["sgd", 1.0, "cat"], abs=2e-6)
    assert figures["job"]["interaction"] == "cat"
    assert figures["samples_per_s"] > 0


def test_samples_a_second_are_of_the_median_step_of_the_slowest_worker():
    workers = [{"loss_sums": [6.0] * 5, "sizes": [8] * 5, "seconds": [9, 1, 2, 3, 4]},
               {"loss_sums": [2.0] * 5, "sizes": [8] * 5, "seconds": [1, 2, 1, 1, 1]}]
    result = EngineResult.of_workers("pslab", EngineJob(batch_size=8), "cpu", workers, {})
    assert result.losses == [1.0] * 5
    assert result.step_seconds == [9, 2, 2, 3, 4]
    assert result.samples_per_s == 8 / 2.5


@pytest.mark.parametrize(("words", "told"), [
    (["--engine", "torch"], "invalid choice: 'torch'"),
    (["--workers", "0"], f"--workers 0: 1 to {ProcessWorld.MAX_RANKS} processes"),
    (["--device", "cuda"], "--device cuda: the engine pslab computes on CPUs"),
    (["--engine", "torchrec", "--workers", "2"], "--workers 2: torchrun says that"),
    (["--host", "x"], "--host x: there are other hosts under torchrun only"),
    (["--config", "huge"], "configuration 'huge' is not known; there are small"),
    (["--data", "mnist"], "data='mnist'; allowed: 'synthetic'"), (["--optimizer", "adam"], "optimizer='adam'"),
    (["--lr", "0"], "lr=0.0"), (["--steps", "0"], "steps=0"), (["--table-rows", "1"], "table_rows=1"),
    (["--interaction", "sum"], "interaction='sum'"), (["--json", "none/x.json"], "--json none/x.json"),
])
def test_mistakes(words, told, capsys, monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["train", *words]) == 2
    assert told in capsys.readouterr().err


def test_more_workers_than_rows():
    with pytest.raises(ValueError, match="batch_size=2; a row for each of 3 workers"):
        job_of("sgd", 0.1, "", batch_size=2).loader(job_of("sgd", 0.1, "").source(), 0, 3)


def test_torchrun_says_how_many(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert cli.main(["train", "--workers", "2"]) == 2
    assert "torchrun started 3 processes" in capsys.readouterr().err


def test_what_is_missing_and_how_to_get_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchrec" else found("json"))
    with pytest.raises(ValueError, match="needs torchrec, which this Python does not have. `make torchrec`"):
        check_torchrec()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found("json"))
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match="runs in processes that torchrun started: python -m torch.distributed.run"):
        check_torchrec()


def launched(file, *words):
    done = subprocess.run([WITH_TORCHREC, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m",
                           "pslab", "train", "--steps", "100", "--batch-size", "301", "--json", str(file), *words],
                          cwd=ROOT, capture_output=True, text=True, timeout=110,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(file.read_text())


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.skipif(WITH_TORCHREC is None, reason="TorchRec is not installed (make torchrec)")
@pytest.mark.parametrize("words", [["--lr", "0.5"], ["--optimizer", "adagrad", "--lr", "0.02"],
                                   ["--lr", "0.5", "--interaction", "cat"]], ids=" ".join)
def test_both_engines_give_the_same_losses_over_100_steps(tmp_path, words):
    theirs = launched(tmp_path / "theirs.json", "--engine", "torchrec", *words)
    ours = launched(tmp_path / "ours.json", "--engine", "pslab", *words)
    assert len(ours["losses"]) == len(theirs["losses"]) == 100
    assert max(abs(a - b) for a, b in zip(ours["losses"], theirs["losses"])) < 1e-4
    assert len(set(ours["losses"])) > 90
