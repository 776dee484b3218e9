"""The overlap benchmark: what it computes, checks and writes; every option; and, alone on the machine, the 60 %."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest

from pslab.cost import ring_all_reduce

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("overlap", FOLDER / "overlap.py")
    module = sys.modules["overlap"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("overlap")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, "--sizes", "40020,256K", "--repeats", "3", "--gbit-s", "0.5", "--ratio", "2", "--no-ddp",
                "--transport", "tcp", "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    assert (figures["gbit_s"], figures["ratio"], figures["transport"], figures["repeats"]) == (0.5, 2.0, "tcp", 3)
    assert "ddp" not in figures
    assert [row["size_bytes"] for row in figures["results"]] == [40020, 256 << 10]
    for row in figures["results"]:
        assert row["correct"]
        c, m, b = (row[name]["median_s"] for name in bench.PARTS)
        for name in bench.PARTS:
            assert len(row[name]["samples_s"]) == 3
            assert row[name]["median_s"] == statistics.median(row[name]["samples_s"])
        assert row["hidden"] == pytest.approx((c + m - b) / min(c, m))
        traffic = ring_all_reduce(row["size_bytes"] // 4, 2, 4)
        assert row["port_bytes"] == traffic.ports[0].out_bytes
        assert m >= row["size_bytes"] / 62.5e6           # the link allows no less: 0.5 Gbit/s, each byte once
        simulated = row["simulator"]
        assert simulated["compute"] == c
        assert simulated["both"] == max(simulated["compute"], simulated["comm"])
        assert simulated["hidden"] == pytest.approx(1)
        assert simulated["comm"] == pytest.approx(row["size_bytes"] / 62.5e6, rel=0.05)
    assert "hidden" in capsys.readouterr().out


def test_hidden(bench):
    assert bench.hidden(2.0, 3.0, 5.0) == 0
    assert bench.hidden(2.0, 3.0, 3.0) == 1
    assert bench.hidden(4.0, 3.0, 5.5) == 0.5


def test_what_is_refused(bench, tmp_path, capsys):
    with pytest.raises(SystemExit):
        call(bench, "--gbit-s", "0")
    assert "a number above 0 is needed" in capsys.readouterr().err
    assert call(bench, "--json", str(tmp_path / "no" / "folder.json")) == 2
    assert "--json" in capsys.readouterr().err


@pytest.mark.serial
def test_a_step_of_ddp_beside_its_parts(bench):
    row = bench.measure_ddp(1)
    assert row["correct"]
    assert sum(row["bucket_elements"]) == bench.LAYERS * (bench.WIDTH + 1) * bench.WIDTH
    assert len(row["bucket_elements"]) > 1
    assert row["size_bytes"] == 4 * sum(row["bucket_elements"])


@pytest.mark.serial
def test_at_least_60_percent_of_the_shorter_is_hidden_at_1_gbit_s(bench):
    """Once more where another program disturbed it."""
    row = bench.measure(16 << 20, 7)
    if row["hidden"] < 0.6:
        row = bench.measure(16 << 20, 7)
    assert row["correct"]
    assert row["hidden"] >= 0.6, {name: row[name]["samples_s"] for name in bench.PARTS}
