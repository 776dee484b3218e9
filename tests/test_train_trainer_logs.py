"""Logs of a run: lines, bars, JSON lines that a resumed run goes on with, TensorBoard where it is installed."""

import io
import json
import math
from importlib.util import find_spec

import pytest

import pslab.train.logs as module
from pslab.comm import SimWorld
from pslab.data import synthetic_click_log
from pslab.train import Checkpoints, Job, JsonLines, Log, Progress, TensorBoard, read_lines, run_job, tables_of

LOG = synthetic_click_log(3, train_rows=80, test_rows=10, tables=(8,), num_dense=2)
JOB = Job(tables_of(LOG, 4), 2, "allreduce", 2, bottom=(4,), top=(1,))
BATCHES = list(LOG.batches(8, 3, 8))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Kept(Log):
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def log(self, step, values):
        self.told.append((step, values))

    def resumed(self, step):
        self.told.append(("resumed", step))

    def close(self):
        self.told.append("closed")


def test_every_log_is_told_what_worker_0_reports():
    kept, reported = Kept(), []
    result = run_job(SimWorld(2), JOB, BATCHES, logs=[kept], on_report=lambda rank, value: reported.append(value))
    assert [step for step, _ in kept.told[:-1]] == list(range(1, 9))
    assert kept.told[-1] == "closed"
    assert [[step, values["loss"]] for step, values in kept.told[:-1]] == reported
    assert all(abs(values["loss"] - loss) < 1 for (_, values), loss in zip(kept.told, result.losses))
    sparse = Kept()
    run_job(SimWorld(2), JOB, BATCHES, logs=[sparse], report_every=3)
    assert [step for step, _ in sparse.told[:-1]] == [3, 6, 8]


def test_logs_are_closed_when_a_run_fails():
    kept = Kept()
    with pytest.raises(ValueError, match=r"world_size=|per_rank"):
        run_job(SimWorld(3), JOB, BATCHES, logs=[kept])
    assert kept.told == ["closed"]


def test_plain_lines():
    out = io.StringIO()
    log = Progress(20, "fit", out, lines=4)
    for step in range(1, 21):
        log.log(step, {"loss": 1 / step})
    log.close()
    assert out.getvalue().splitlines() == [f"fit: step {step} of 20, loss {1 / step:.4g}" for step in (5, 10, 15, 20)]
    out = io.StringIO()
    log = Progress(20, "fit", out, lines=2)
    log.resumed(8)
    log.log(9, {})
    log.log(18, {})
    assert out.getvalue().splitlines() == ["fit: goes on after step 8 of 20", "fit: step 18 of 20"]


def test_a_bar_on_a_terminal_and_lines_without_tqdm(monkeypatch):
    out = Terminal()
    log = Progress(4, "fit", out)
    log.resumed(2)
    log.log(4, {"loss": 0.5})
    log.close()
    assert "4/4" in out.getvalue()
    assert "loss 0.5" in out.getvalue()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    out = Terminal()
    Progress(4, "fit", out).log(4, {"loss": 0.5})
    assert out.getvalue() == "fit: step 4 of 4, loss 0.5\n"


def test_json_lines(tmp_path):
    file = tmp_path / "run.jsonl"
    log = JsonLines(file)
    log.log(1, {"loss": 0.5, "auc": math.nan})
    assert file.read_text() == '{"step": 1, "loss": 0.5, "auc": null}\n'          # on the disk at once
    with pytest.raises(ValueError, match="'step', which is the step's own name"):
        log.log(2, {"step": 1.0})
    log.close()
    assert read_lines(file) == [{"step": 1, "loss": 0.5, "auc": None}]
    JsonLines(file).log(7, {})
    assert read_lines(file) == [{"step": 7}]
    with pytest.raises(ValueError, match="there is no folder"):
        JsonLines(tmp_path / "none" / "run.jsonl")


def test_the_file_of_an_interrupted_run_ends_up_the_same(tmp_path):
    """Stopped after 6 steps with a checkpoint at 4, the last line torn: as if it had never stopped."""
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    run_job(SimWorld(2), JOB, BATCHES, logs=[JsonLines(whole)])
    run_job(SimWorld(2), JOB, BATCHES[:4], logs=[JsonLines(torn)], checkpoints=Checkpoints(tmp_path / "c", 4))
    with open(torn, "a") as out:
        out.write('{"step": 5, "loss": 0.1}\n{"step": 6, "lo')
    kept = Kept()
    run_job(SimWorld(2), JOB, BATCHES, logs=[JsonLines(torn), kept], checkpoints=Checkpoints(tmp_path / "c", 4))
    assert torn.read_text() == whole.read_text()
    assert kept.told[0] == ("resumed", 4)
    assert len(whole.read_text().splitlines()) == 8


def test_lines_that_are_no_json(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"step": 1}\nnonsense\n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"line 2: this is no JSON: 'nonsense"):
        read_lines(file)
    file.write_text(json.dumps({"step": 1}) + "\n" + '{"st')
    assert read_lines(file) == [{"step": 1}]


def test_tensorboard_or_what_to_install(tmp_path, monkeypatch):
    """Where tensorboard is installed its file is read back; where it is not, the error says what to do."""
    if find_spec("tensorboard") is not None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        log = TensorBoard(tmp_path)
        log.log(3, {"loss": 0.5})
        log.close()
        events = EventAccumulator(str(tmp_path)).Reload()
        assert [(each.step, each.value) for each in events.Scalars("loss")] == [(3, 0.5)]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs the package tensorboard, which is not installed: pip install"):
        TensorBoard(tmp_path)


class Writer:
    """What torch's SummaryWriter is told."""

    def __init__(self, made, folder, **more):
        self.told = made
        made.append((folder, more))

    def add_scalar(self, *arguments):
        self.told.append(arguments)

    def close(self):
        self.told.append("closed")


def test_tensorboard_is_told_scalars_and_purged_on_resume(tmp_path):
    log, told = TensorBoard.__new__(TensorBoard), []
    log._writer, log._make = None, lambda **more: Writer(told, "runs", **more)
    log.resumed(4)
    log.log(5, {"loss": 0.5, "auc": 0.7})
    log.close()
    assert told == [("runs", {"purge_step": 5}), ("loss", 0.5, 5), ("auc", 0.7, 5), "closed"]


@pytest.mark.parametrize("change", [{"total": 0}, {"total": 2, "lines": 0}])
def test_refusals(change):
    with pytest.raises(ValueError, match="a whole number from 1"):
        Progress(**change)
