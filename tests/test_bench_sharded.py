"""The benchmark of sharded tables: what it runs, checks, names and writes. No time is judged, TorchRec not needed."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("sharded", FOLDER / "sharded.py")
    module = sys.modules["sharded"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("sharded")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


SMALL = ("--tables", "3", "--rows", "50", "--dim", "4", "--batch", "6", "--steps", "2", "--turns", "1")


def test_our_side_runs_alone_and_what_is_missing_is_named(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, *SMALL, "--torchrec-python", str(tmp_path / "python"), "--json", str(file)) == 0
    text = capsys.readouterr().out
    assert "TorchRec was not run; missing: " in text
    assert "`make torchrec`" in text
    figures = json.loads(file.read_text())
    assert figures["job"]["rows"] == 50
    assert len(figures["pslab"]["samples_s"]) == 2
    assert figures["pslab"]["samples_per_s"] == pytest.approx(2 * 6 / figures["pslab"]["median_s"])
    assert "torchrec" not in figures


def test_ours_computes_what_plain_numpy_does_whatever_the_options(bench):
    """Rows after warm + steps batches of SGD, and their sums in the first batch's outputs."""
    job = bench.Job(tables=3, rows=50, dim=4, batch=6, ids="zipf", warm=1, steps=4)
    rows = [bench.first_rows(job, table).astype(np.float64) for table in range(3)]
    for step in range(job.warm + job.steps):
        changes = [np.zeros_like(table) for table in rows]
        for rank in (0, 1):
            ids = bench.ids_of(job, rank, step % job.batches).reshape(3, 6)
            weights = bench.loss_weights(job, rank).reshape(6, 3, 4)
            for table in range(3):
                np.add.at(changes[table], ids[table], weights[:, table])
        for table, change in zip(rows, changes):
            table -= job.lr * change
    from pslab.comm import SimWorld
    for kind, dedup in (("table_wise", True), ("row_wise", False), ("column_wise", True)):
        found = SimWorld(2).run(bench.our_rank, job, kind, dedup).results
        for rank in (0, 1):
            ids = bench.ids_of(job, rank, 0).reshape(3, 6)
            outputs = np.concatenate([rows[table][ids[table]] for table in range(3)], axis=1)
            assert found[rank]["checks"] == pytest.approx(bench.check_sums(outputs), abs=1e-4)


def test_sums_that_differ_are_told(bench):
    good = [{"checks": [1.0, 100.0]}, {"checks": [2.0, 3.0]}]
    bad = [{"checks": [1.0, 100.0]}, {"checks": [2.0, 3.001]}]
    assert bench.differences({"pslab": [good, good], "torchrec": [good]}) == []
    wrong = bench.differences({"pslab": [good], "torchrec": [good, bad]})
    assert len(wrong) == 1
    assert wrong[0].startswith("torchrec, turn 1, rank 1")
    assert bench.differences({"pslab": [good], "torchrec": [[{"checks": [float("nan"), 100.0]}, good[1]]]})


def test_options_that_do_not_fit(bench, capsys):
    assert call(bench, *SMALL, "--dim", "5", "--plan", "column_wise") == 2
    assert "--dim 5 cannot be cut into --processes 2 equal parts" in capsys.readouterr().err
