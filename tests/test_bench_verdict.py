"""The benchmark of the verdict: what it runs, checks, names and writes, in virtual time; no clock is judged."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from pslab import cost

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def benches():
    """As `pslab bench` loads them: under their own names."""
    sys.path.insert(0, str(FOLDER))
    modules = {}
    for name in ("verdict", "verdict_practical"):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        modules[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    yield modules
    for name in (*modules, "verdict_job"):
        sys.modules.pop(name, None)
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


SMALL = ("--world", "sim", "--workers", "1,2", "--rows", "300", "--batch", "8", "--steps", "1", "--dim", "4")


def test_figures_of_every_strategy_beside_the_model(benches, tmp_path, capsys):
    file, plot = tmp_path / "v.json", tmp_path / "v.png"
    assert call(benches["verdict"], *SMALL, "--json", str(file), "--plot", str(plot)) == 0
    text, figures = capsys.readouterr().out, json.loads(file.read_text())
    assert [(p["K"], p["strategy"]) for p in figures["points"]] == [
        (K, s) for K in (1, 2) for s in ("hybrid", "server", "allreduce")]
    by = {(p["K"], p["strategy"]): p for p in figures["points"]}
    for point in figures["points"]:
        assert point["losses"] == pytest.approx(by[point["K"], "hybrid"]["losses"], rel=1e-5)
    ring = by[2, "allreduce"]
    # dense and sparse gradients are two rings; what the ledger counted is the closed form, to the byte
    assert ring["busiest_bytes"] == ring["model"]["busiest_bytes"]
    assert ring["step_s"] == pytest.approx(ring["model"]["seconds"], rel=0.02)
    table = (300 + 1000) * 4 * 4
    assert ring["state_bytes"] == {"worker": 2 * (ring["dense_bytes"] + table), "server": 0}
    assert by[2, "hybrid"]["state_bytes"] == {"worker": 2 * ring["dense_bytes"], "server": table}
    assert by[2, "server"]["state_bytes"] == {"worker": 0, "server": ring["dense_bytes"] + table}
    assert by[2, "hybrid"]["busiest_bytes"] < ring["busiest_bytes"]
    assert {m["K"] for m in figures["model"]} == {2, 4, 8, 16, 32, 64}
    assert figures["equal"][0]["ring"] == figures["equal"][0]["server"] == ring["dense_bytes"]
    assert ": equal, 2(K-1)/K = K/S = 1" in text
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_replicas_that_do_not_fit_are_not_run_and_named(benches, tmp_path, capsys):
    file = tmp_path / "v.json"
    assert call(benches["verdict"], *SMALL, "--workers", "2", "--memory", "0.0001", "--json", str(file)) == 0
    assert "not run" in capsys.readouterr().out
    points = json.loads(file.read_text())["points"]
    assert [point.get("not_run") for point in points] == [None, None, "0.0 GB of replicas, 0.0 GB allowed"]
    assert points[2]["model"]["busiest_bytes"] > 0


def test_losses_that_differ_are_a_wrong_result(benches):
    same = {"hybrid": {"losses": [0.7, 0.6]}, "server": {"losses": [0.7, 0.60003]}}
    assert benches["verdict"].disagreements(same, 2, 100) == []
    lines = benches["verdict"].disagreements({**same, "allreduce": {"losses": [0.7, 0.61]}}, 2, 1000)
    assert lines == ["1,000 rows, K=2, step 1: loss 0.600000 of hybrid, 0.610000 of allreduce"]
    nan = {"hybrid": {"losses": [float("nan")]}, "server": {"losses": [0.7]}}
    assert len(benches["verdict"].disagreements(nan, 2, 100)) == 1


def test_the_practical_result_with_a_baseline_that_fits(benches, tmp_path, capsys):
    file = tmp_path / "p.json"
    words = ("--world", "sim", "--rows", "20000", "--batch", "16", "--steps", "1", "--turns", "1")
    assert call(benches["verdict_practical"], *words, "--json", str(file)) == 0
    text, figures = capsys.readouterr().out, json.loads(file.read_text())
    told, ends = figures["claims"]["allreduce"], figures["break_even"]
    assert "a baseline that fits: 20,000 rows of 16" in text
    assert told["less, busiest port"] > 0.95
    assert told["times, measured"] == pytest.approx(told["times, model"], rel=0.35)
    assert told["times, model"] > 3
    # by the model itself: at the sizes it names the claim holds, just
    shape = (2, 2, figures["dense_bytes"])
    for name, holds in (("rows for 95 % less", lambda ours, ring, *_: 1 - ours / ring >= 0.95),
                        ("rows for three times", lambda _ours, _ring, fast, slow: slow / fast >= 3)):
        found = []
        for rows in (ends[name] - 1, ends[name]):
            args = (*shape, rows + 1000, 64, round(figures["touched"]))
            port = [cost.strategy_port_bytes(s, *args).busiest for s in ("hybrid", "allreduce")]
            seconds = [cost.strategy_step_s(s, *args, bandwidth_Bps=1.25e8, latency_s=1e-4)
                       for s in ("hybrid", "allreduce")]
            found.append(holds(*port, *seconds))
        assert found == [False, True], name


@pytest.mark.parametrize(("name", "words", "said"), [
    ("verdict", ("--gbit", "-1"), "--gbit -1.0: 0 for free ports"),
    ("verdict", ("--json", "/no/such/folder/x.json"), "--json"),
    ("verdict_practical", ("--gbit", "0"), "ports are throttled here")])
def test_options_that_do_not_fit(benches, capsys, name, words, said):
    assert call(benches[name], *words) == 2
    assert said in capsys.readouterr().err


def test_the_model_of_a_step_by_hand():
    """K = 2, S = 1, 10 rows of 8 bytes a worker, 1000 B/s, 1 s latency, 100 dense bytes."""
    link = {"bandwidth_Bps": 1000.0, "latency_s": 1.0, "compute_s": 5.0}
    shape = (2, 1, 100, 50, 8, 10)
    pull_s = 20 * 8 / 1000 + 1 + 20 * 8 / 1000 + 1
    push_s = 20 * 16 / 1000 + 1
    # 25 numbers in two chunks, 13 and 12: 100 bytes through the busiest direction, two rounds
    ring_s = 0.100 + 2
    assert cost.strategy_step_s("hybrid", *shape, **link) == pytest.approx(
        5 + pull_s + max(push_s, 0.160 + ring_s) + 2)
    assert cost.strategy_step_s("server", *shape, **link) == pytest.approx(5 + pull_s + push_s + 2 + 2 * (0.2 + 1) + 1)
    assert cost.strategy_step_s("allreduce", *shape, **link) == pytest.approx(5 + ring_s + 0.4 + 2)
    with pytest.raises(ValueError, match="compute_s=-1"):
        cost.strategy_step_s("hybrid", *shape, bandwidth_Bps=1.0, compute_s=-1)
