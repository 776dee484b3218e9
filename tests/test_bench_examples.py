"""The benchmark of the examples: what it runs, counts and writes; every option. No time is judged."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("examples", FOLDER / "examples.py")
    module = sys.modules["examples"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("examples")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, "--examples", "mlp", "--made", "--quick", "--workers", "2", "--servers", "2", "--repeats", "2",
                "--mode", "ssp:1", "--batch-scale", "3", "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    assert (figures["mode"], figures["servers"], figures["batch_scale"], figures["repeats"]) == ("ssp:1", 2, 3, 2)
    found, = figures["examples"]
    assert (found["example"], found["data"], found["batch"], found["rounds"]) == ("mlp", "made digits", 192, 8)
    row, = found["measured"]
    assert (row["K"], row["S"], len(row["samples_s"])) == (2, 2, 2)
    assert row["speed_up"] == found["alone"]["median_s"] / row["median_s"]
    assert found["row_s"] == pytest.approx(found["alone"]["median_s"] / 1437)
    assert row["bytes"] > 2 * 2 * 8 * 2410 * 4, "every worker pulls and pushes all parameters in every round"
    assert [row["K"] for row in found["modelled"]] == [1, 2, 3, 4, 6, 8, 12, 16]
    for kind, beats in found["beats_one"].items():
        first = next((row["K"] + row["S"] for row in found[kind] if row["speed_up"] >= bench.BEATS), None)
        assert beats == first
    out = capsys.readouterr().out
    assert "mlp on made digits: 8 rounds of 192" in out
    assert "2 + 2" in out


def test_what_is_said_of_processes_that_beat_one(bench, capsys):
    rows = [{"K": K, "S": 1, "median_s": 1 / gain, "speed_up": gain, "bytes": 10, "value": 0.5}
            for K, gain in ((1, 0.5), (2, 1.5))]
    found = {"example": "mlp", "data": "d", "rounds": 1, "batch": 8, "metric": "m", "wrong": [],
             "alone": {"median_s": 1.0, "value": 0.5}, "modelled": rows}
    for measured, beats, said in ((rows, 3, "3 processes beat one"),
                                  (rows[:1], None, "no number of processes up to 2 beats one")):
        bench.show({"machine": {"cores": 2}, "examples": [
            {**found, "measured": measured, "beats_one": {"measured": beats, "modelled": 3}}]})
        out = capsys.readouterr().out
        assert f"measured, 2 cores: {said}" in out
        assert "modelled, a core each: 3 processes beat one; speed-ups 0.50 (K = 1), 1.50 (K = 2)" in out


def test_a_result_that_differs_is_an_error(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda *_: {"example": "mlp", "wrong": ["2 workers end at 0.1"]})
    monkeypatch.setattr(bench, "show", lambda figures: None)
    assert call(bench, "--examples", "mlp", "--made", "--quick") == 1
    assert "WRONG RESULT: mlp: 2 workers end at 0.1" in capsys.readouterr().err


def test_mistakes(bench, capsys):
    for words, message in ((("--examples", "lda"), "'lda': one of logistic"), (("--workers", "0"), "1 or more")):
        with pytest.raises(SystemExit):
            call(bench, *words)
        assert message in capsys.readouterr().err
    assert call(bench, "--mode", "sync") == 2
    assert "mode 'sync': allowed are" in capsys.readouterr().err
