"""The benchmark of caches: what it counts, checks and writes; every option."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pslab.data import zipf
from pslab.embedding import LRU, Belady

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("caches", FOLDER / "caches.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, "--accesses", "2000", "--rows", "300", "--exponent", "0.8", "--capacity", "40", "--seed", "3",
                "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    stream = zipf(0.8, 300, 2000, 3)
    oracle, plain = Belady(40, stream), LRU(40)
    by_name = {row["policy"]: row for row in figures["policies"]}
    assert list(by_name) == ["LRU", "FIFO", "CLOCK", "LFU", "Belady", "StaticTopK"]
    for name, cache in (("Belady", oracle), ("LRU", plain)):
        cache.access_all(stream)
        assert (by_name[name]["hits"], by_name[name]["evictions"]) == (cache.hits, cache.evictions)
        assert by_name[name]["compulsory"] == len(np.unique(stream))
    assert all(row["replay_s"] > 0 for row in figures["policies"])
    assert figures["floor_s"] > 0 < figures["curve_s"]
    said = capsys.readouterr().out
    assert "2,000 ids, Zipf(0.8) over 300 rows; 40 rows in the cache" in said
    assert "aim" not in said                                    # it is about 10 million


def test_a_quick_run_asks_in_batches_too(bench, capsys):
    assert call(bench, "--quick", "--accesses", "3000", "--rows", "500") == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["LFU"]]
    assert line.split()[-1] == "ns"
    assert "0.8" in line or "0.9" in line


def test_a_wrong_count_is_told(bench, monkeypatch, capsys):
    monkeypatch.setattr("pslab.embedding.miss_curve", lambda stream, capacity: np.array([0]))
    assert call(bench, "--accesses", "500", "--rows", "50", "--capacity", "9") == 1
    assert "WRONG RESULT: LRU missed" in capsys.readouterr().err


def test_what_cannot_be_is_refused(bench, tmp_path, capsys):
    assert call(bench, "--exponent", "-1") == 2
    assert call(bench, "--quick", "--json", str(tmp_path / "none" / "file")) == 2
    assert "pslab: " in capsys.readouterr().err
