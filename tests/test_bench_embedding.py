"""The benchmark of the embedding bags: what it checks, counts and writes; every option; no timing is judged here."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("embedding", FOLDER / "embedding.py")
    module = sys.modules["embedding"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("embedding")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


SMALL = ["--quick", "--tables", "2", "--table-rows", "50", "--dim", "4", "--bags", "6", "--repeats", "2"]


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, *SMALL, "--lookups", "1,3", "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    rows = figures["results"]
    assert [(r["ids"], r["lookups"], r["rule"]) for r in rows] == [
        (ids, lookups, rule) for ids in ("uniform", "zipf") for lookups in (1, 3) for rule in bench.RATES]
    for row in rows:
        assert row["wrong"] == []
        for side in ("ours", "torch"):
            assert len(row[side]["samples_s"]) == len(row[side]["processor"]["samples_s"]) == 2
            assert row[side]["median_s"] == statistics.median(row[side]["samples_s"]) > 0
        assert row["torch_over_ours"] == row["torch"]["median_s"] / row["ours"]["median_s"]
        lookups, distinct = 12 * row["lookups"], row["moved_bytes"]["distinct_rows"]
        slots = {"sgd": 0, "adagrad": 1, "adam": 2}[row["rule"]]
        assert row["moved_bytes"] == {"forward": lookups * 16 + 12 * 16, "backward": 12 * 16,
                                      "update": 2 * distinct * 16 * (1 + slots), "distinct_rows": distinct}
        assert 2 <= distinct <= lookups
        assert row["gradient_bytes"] == lookups * (16 + 8), "torch keeps a row and an int64 for every lookup"
        assert set(row["ceilings"]) == {"gather", "segment sum"}
    out = capsys.readouterr().out
    assert "torch/ours" in out
    assert "below the floor of 2: " in out


def test_a_wrong_result_is_an_error(bench, monkeypatch, capsys):
    """A step that leaves one row of one table elsewhere by as little as 2⁻¹⁶."""
    whole = bench.PerTable.step

    def step(self, one, keep=False):
        whole(self, one, keep)
        self.bags[1].weight.data[3, 2] += 2.0**-16
    monkeypatch.setattr(bench.PerTable, "step", step)
    assert call(bench, *SMALL, "--lookups", "1", "--ids", "zipf", "--rules", "sgd,adam") == 1
    said = capsys.readouterr().err
    assert "WRONG RESULT: sgd, zipf ids, 1 a bag, 1 threads: ['table f1']" in said
    assert "WRONG RESULT: adam" in said


def test_options_reach_the_measuring(bench, monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda *args: asked.append(args) or [])
    assert call(bench) == 0
    default = {"tables": 26, "table_rows": 100_000, "dim": 64, "bags": 2048}
    rules = ["sgd", "adagrad", "adam"]
    assert asked == [(default, ids, lookups, rules, 1, 9, 0.2) for ids in ("uniform", "zipf") for lookups in (1, 20)]
    asked.clear()
    assert call(bench, "--threads", "1,2", "--ids", "zipf", "--lookups", "7", "--rules", "adam", "--repeats", "4",
                "--bags", "3", "--quick") == 0
    quick = {"tables": 4, "table_rows": 2000, "dim": 64, "bags": 3}
    assert asked == [(quick, "zipf", 7, ["adam"], threads, 4, 0.01) for threads in (1, 2)]


def test_threads_are_torchs_while_it_measures(bench, monkeypatch):
    seen, before = [], torch.get_num_threads()
    monkeypatch.setattr(bench, "race", lambda *args: seen.append(torch.get_num_threads()) or {})
    sizes = {"tables": 1, "table_rows": 9, "dim": 2, "bags": 3}
    bench.measure(sizes, "uniform", 1, ["sgd"], 3, 1, 0.0)
    assert (seen, torch.get_num_threads()) == ([3], before)


def test_zipf_ids_repeat_and_uniform_ones_do_not(bench):
    sizes = {"tables": 2, "table_rows": 1000, "dim": 2, "bags": 500}
    uniform, zipf = (bench.batch(sizes, ids, 2, seed=1) for ids in ("uniform", "zipf"))
    most = [[part.bincount().max().item() for part in one["ids"]] for one in (uniform, zipf)]
    assert max(most[0]) < 10 < 80 < min(most[1])
    assert zipf["ids"][0].bincount().argmax() != zipf["ids"][1].bincount().argmax()
    assert torch.equal(zipf["features"]["f1"].values, zipf["ids"][1])


@pytest.mark.parametrize(("words", "message"), [(["--ids", "zip"], "one of uniform, zipf is needed"),
                                                (["--rules", "ftrl"], "one of sgd, adagrad, adam is needed")])
def test_words_it_does_not_know(bench, capsys, words, message):
    with pytest.raises(SystemExit):
        call(bench, *words)
    assert message in capsys.readouterr().err


def test_a_file_it_cannot_write_is_refused_before_measuring(bench, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "measure", lambda *args: pytest.fail("measured"))
    assert call(bench, "--json", "missing/figures.json") == 2
    assert "--json missing/figures.json: " in capsys.readouterr().err
