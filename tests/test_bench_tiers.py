"""The benchmark of tiers: what it times is right, each option does what it says, wrong rows fail the run."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiers_faults import System

from pslab.embedding.tiers.rawfile import RawFile

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    """Nothing here has to outlive a power cut, and syncing takes as long as others keep the disk busy."""
    monkeypatch.setattr(RawFile, "system", System())


SMALL = ["--rows", "3000", "--dim", "4", "--batch", "60", "--batches", "4", "--exponents", "0.5,1.4"]


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("tiers", FOLDER / "tiers.py")
    module = sys.modules["tiers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("tiers")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, *SMALL, "--budgets", "0.9,1.8", "--folder", str(tmp_path), "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    rows = figures["results"]
    assert [(row["what"], row["exponent"], row["budget"]) for row in rows] == [
        (what, exponent, budget) for exponent in (0.5, 1.4) for budget in (0.9, 1.8) for what in ("lookup", "train")]
    for row in rows:
        assert not row["wrong"]
        assert len(row["ram"]["samples_s"]) == len(row["tiered"]["samples_s"]) == 4
        assert row["tiered"]["per_s"] == pytest.approx(4 * 60 / sum(row["tiered"]["samples_s"]))
        assert 0 < row["hit_rate"] <= 1
    by = {(row["exponent"], row["budget"]): row for row in rows if row["what"] == "lookup"}
    assert by[1.4, 1.8]["hit_rate"] > by[0.5, 1.8]["hit_rate"]          # a steeper law repeats more
    assert by[0.5, 1.8]["capacity"] > by[0.5, 0.9]["capacity"]
    assert figures["table_bytes"] == 3000 * 8 * 4
    assert figures["ceilings"]["row_bytes"] == 40
    assert all(figures["ceilings"][name]["rows_per_s"] > 0 for name in ("random", "random, ascending", "sequential"))
    out = capsys.readouterr().out
    assert "3,000 rows of 4 float32" in out
    assert "the disk, by pread of 40 bytes: random" in out
    assert list(tmp_path.iterdir()) == [file]                           # its own files are gone


def test_hit_rate_is_that_of_the_distinct_ids_of_timed_batches(bench):
    from pslab.embedding.tiers import MemoryStore, RowLayout, TieredStore, TieredTable
    from pslab.ps import SGD
    layout = RowLayout(2, SGD(0.1))
    table = TieredTable(TieredStore(MemoryStore(100, first=layout), 10_000), layout)
    batches = [np.array([1, 1, 2]), np.array([3]), np.array([1, 5, 5]), np.array([5, 7, 8, 9])]
    assert bench.timed(table, batches, None)["hit_rate"] == 2 / 6       # of 1 5 | 5 7 8 9: 1 and 5 again


def test_wrong_rows_fail_the_run(bench, monkeypatch, capsys):
    from pslab.embedding.tiers import TieredStore
    right = TieredStore._get

    def wrong(self, ids, slots, out):
        right(self, ids, slots, out)
        out[-1, -1] += 1                                                # the state of one row

    monkeypatch.setattr(TieredStore, "_get", wrong)
    with pytest.raises(RuntimeError, match="training in tiers left other rows"):
        call(bench, *SMALL, "--budgets", "1.8")
    monkeypatch.undo()
    tensor = TieredStore.tensor
    monkeypatch.setattr(TieredStore, "tensor", lambda self, ids: tensor(self, ids) + 1)
    monkeypatch.setattr(bench, "restore", lambda *args: None)
    assert call(bench, *SMALL, "--budgets", "1.8") == 1
    assert "WRONG ROWS: lookup, exponent 0.5, budget 1.8" in capsys.readouterr().err


def test_options_and_defaults(bench, monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda *what: asked.append(what[:4]) or {"results": []})
    monkeypatch.setattr(bench, "show", lambda figures: None)
    call(bench)
    call(bench, "--quick", "--warm")
    call(bench, "--quick", *SMALL, "--budgets", "0.3")
    assert asked == [
        ({"rows": 2_000_000, "dim": 32, "batch": 8192, "batches": 60}, [0.6, 0.9, 1.1, 1.3], [0.05, 0.1, 0.25], False),
        ({"rows": 40_000, "dim": 16, "batch": 1024, "batches": 8}, [1.1], [0.25], True),
        ({"rows": 3000, "dim": 4, "batch": 60, "batches": 4}, [0.5, 1.4], [0.3], False)]
    monkeypatch.undo()
    assert call(bench, "--quick", "--budgets", "0.0001") == 2
    assert "are needed for a single row" in capsys.readouterr().err
    assert call(bench, "--quick", "--folder", str(tmp_path / "no")) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert call(bench, "--exponents", "0") == 2
    assert call(bench, "--json", str(tmp_path / "no" / "f.json")) == 2
    with pytest.raises(SystemExit):
        call(bench, "--rows", "5")


def test_warm_leaves_the_file_in_the_page_cache(bench, monkeypatch, tmp_path):
    dropped = []
    monkeypatch.setattr(bench, "drop", lambda path: dropped.append(path) or True)
    assert call(bench, *SMALL[:-2], "--exponents", "1", "--budgets", "1.8", "--warm") == 0
    assert dropped == []
    assert call(bench, *SMALL[:-2], "--exponents", "1", "--budgets", "1.8") == 0
    assert len(dropped) == 3 + 2                                        # three ceilings, lookup and train
