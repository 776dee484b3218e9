"""The servers benchmark: what it counts, checks, names and writes; every option. No time is judged."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest

from pslab import cost

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("servers", FOLDER / "servers.py")
    module = sys.modules["servers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("servers")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, "--shapes", "2x1", "--throttled", "1x2,2x1", "--rows", "50", "--dim", "3", "--table-rows", "400",
                "--dense", "40004", "--gbit-s", "4", "--seconds", "0.05", "--repeats", "3", "--transport", "tcp",
                "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    assert [figures[name] for name in ("rows", "dim", "table_rows", "dense_bytes", "gbit_s", "seconds", "repeats")] == \
        [50, 3, 400, 40004, 4.0, 0.05, 3]
    assert figures["transport"] == "tcp"
    assert figures["copy_Bps"] > 0
    free, = figures["free"]
    assert (free["K"], free["S"], free["wrong"]) == (2, 1, [])
    # A step: keys twice and 12 bytes a row each way; and one pull of each worker to warm up.
    assert free["payload_bytes"] == free["steps"] * 50 * (2 * 8 + 2 * 12) + 2 * 50 * (8 + 12)
    assert free["busiest_port"][0] == 2                     # the server's
    assert free["steps_per_s"] == free["steps"] / free["wall_s"]
    assert free["wall_s"] >= 0.05
    assert free["bottleneck"] == bench.bottleneck(free["server"], free["worker"])
    for role in ("server", "worker"):
        assert set(free[role]) == {"cpu", "queued", "copying"}
        assert free[role]["cpu"] > 0
    assert [(row["K"], row["S"]) for row in figures["throttled"]] == [(1, 2), (2, 1)]
    for row in figures["throttled"]:
        K, S = row["K"], row["S"]
        traffic = cost.parameter_server(10_001, K, S)
        assert row["wrong"] == []
        assert row["step_bytes"] == [list(port) for port in traffic.ports]
        assert row["busiest_bytes"] == traffic.busiest
        assert len(row["step"]["samples_s"]) == 3
        assert row["step"]["median_s"] == statistics.median(row["step"]["samples_s"])
        assert row["model_s"] == cost.step_s(10_001, K, S, bandwidth_Bps=5e8)
        assert row["simulator_s"] == pytest.approx(row["model_s"], rel=0.02)       # headers are small
        assert row["measured_over_model"] == row["step"]["median_s"] / row["model_s"]
        assert row["within_15_percent"] == (abs(row["measured_over_model"] - 1) <= 0.15)
        assert row["step"]["median_s"] >= traffic.busiest / 5e8                    # the port allows no less
        assert row["bottleneck"] == (("worker port" if K < S else "server port") if row["within_15_percent"]
                                     else "not the ports alone")
    shown = capsys.readouterr().out
    for word in ("4 Gbit/s", "bottleneck", "pslab.cost", "not within 15 % of pslab.cost:", "50 rows x 3 of 400"):
        assert word in shown


@pytest.mark.parametrize(("server", "worker", "name"), [
    ((0.9, 0.0, 0.1), (0.4, 0.1, 0.1), "server CPU"),
    ((0.3, 0.0, 0.1), (0.8, 0.1, 0.1), "worker CPU"),
    ((0.9, 0.0, 0.5), (0.4, 0.1, 0.1), "memory"),
    ((0.4, 0.5, 0.1), (0.3, 0.1, 0.0), "cores"),
    ((0.2, 0.1, 0.0), (0.4, 0.5, 0.3), "cores"),
    ((0.3, 0.1, 0.3), (0.2, 0.2, 0.0), "waiting"),
])
def test_the_bottleneck_is_named_by_the_largest_share(bench, server, worker, name):
    shares = [dict(zip(("cpu", "queued", "copying"), share)) for share in (server, worker)]
    assert bench.bottleneck(*shares) == name


def test_wrong_figures_are_told_and_fail(bench, monkeypatch, capsys):
    free = {"K": 1, "S": 1, "steps_per_s": 1.0, "rows_per_s": 1.0, "payload_Bps": 1.0, "bottleneck": "waiting",
            "server": {"cpu": 0, "queued": 0, "copying": 0}, "worker": {"cpu": 0, "queued": 0, "copying": 0}}
    monkeypatch.setattr(bench, "measure_free", lambda *_: {**free, "wrong": ["7 rows arrived, 8 were pushed"]})
    monkeypatch.setattr(bench, "measure_throttled", lambda *_: pytest.fail("not asked for") if _[0] != 3 else {
        "K": 3, "S": 1, "busiest_bytes": 1, "step": {"median_s": 1.0}, "model_s": 1.0, "measured_over_model": 1.0,
        "simulator_s": 1.0, "within_15_percent": True, "bottleneck": "server port", "wrong": []})
    assert call(bench, "--quick", "--shapes", "1x1", "--throttled", "3x1") == 1
    assert "WRONG RESULT: 1 x 1: 7 rows arrived, 8 were pushed" in capsys.readouterr().err


def test_what_is_refused(bench, tmp_path, capsys):
    for words, said in ((("--gbit-s", "0"), "a number above 0 is needed"), (("--shapes", "2"), "as 2x1"),
                        (("--throttled", "0x1"), "as 2x1"), (("--seconds", "-1"), "a number above 0 is needed")):
        with pytest.raises(SystemExit):
            call(bench, *words)
        assert said in capsys.readouterr().err
    assert call(bench, "--json", str(tmp_path / "no" / "folder.json")) == 2
    assert "--json" in capsys.readouterr().err
    assert call(bench, "--rows", "9", "--table-rows", "8") == 2
    assert "--rows 9: a table of --table-rows 8 has fewer" in capsys.readouterr().err
