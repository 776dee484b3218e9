"""The benchmark of push and pull: each side is what it says, what it checks, counts and writes; every option."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest
import torch

from pslab.ps import KVServer, KVWorker, serve

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SIZES = {"rows": 40, "dim": 3, "table_rows": 25, "dense": 8192}


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks and RPC can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("ps", FOLDER / "ps.py")
    module = sys.modules["ps"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("ps")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_and_its_figures(bench, tmp_path, capsys):
    file = tmp_path / "figures.json"
    assert call(bench, "--rows", "40", "--dim", "3", "--table-rows", "25", "--dense", "8K", "--repeats", "2", "--quick",
                "--transport", "tcp", "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    assert [figures[name] for name in ("rows", "dim", "table_rows", "dense", "repeats", "transport")] == [
        40, 3, 25, 8192, 2, "tcp"]
    assert [row["case"] for row in figures["results"]] == list(bench.CASES)
    by_case = {row["case"]: row for row in figures["results"]}
    distinct = len(bench.batch(SIZES)[0].unique())
    assert distinct < 25                                             # keys repeat, and travel once
    bytes_of = {case: (row["bytes"]["keys"], row["bytes"]["vals"]) for case, row in by_case.items()}
    assert bytes_of == {
        "empty": ({"to_server": 0, "to_worker": 0}, {"to_server": 0, "to_worker": 4}),
        "pull rows": ({"to_server": 8 * distinct, "to_worker": 0}, {"to_server": 0, "to_worker": 12 * distinct}),
        "push rows": ({"to_server": 8 * distinct, "to_worker": 0}, {"to_server": 12 * distinct, "to_worker": 0}),
        "pull dense": ({"to_server": 0, "to_worker": 0}, {"to_server": 0, "to_worker": 8192}),
        "push dense": ({"to_server": 0, "to_worker": 0}, {"to_server": 8192, "to_worker": 0})}
    for row in figures["results"]:
        assert row["wrong"] == []
        assert row["rpc_calls_seen"] == row["rpc_calls_made"] >= 2 * row["calls"]
        assert 0 < row["bytes"]["header"]["to_server"] < 60
        for side in ("ours", "rpc"):
            assert len(row[side]["samples_s"]) == 2
            assert row[side]["median_s"] == statistics.median(row[side]["samples_s"]) > 0
        assert row["rpc_over_ours"] == row["rpc"]["median_s"] / row["ours"]["median_s"]
    assert {case: sorted(row["ceilings"]) for case, row in by_case.items()} == {
        "empty": [], "pull rows": ["gather", "gather (NumPy)"], "push rows": ["segment sum", "segment sum (NumPy)"],
        "pull dense": ["memcpy"], "push dense": ["add"]}
    out = capsys.readouterr().out
    assert "pull and push of 40 rows x 3 of 25, and of 8 KB dense" in out
    assert f"all samples: {file}" in out


class Plain:
    """RPC's functions on tensors of this process, called as RPC would."""

    def __init__(self, bench, monkeypatch):
        self.calls = []
        tables = {table.name: torch.from_numpy(table.initial_rows()) for table in bench.tables_of(SIZES)}
        monkeypatch.setattr(bench, "SERVER", {**tables, "calls": {}})

        def rpc_sync(to, function, args=()):
            assert to == "rank1"
            self.calls.append(function.__name__)
            return function(*args)

        monkeypatch.setattr("torch.distributed.rpc.rpc_sync", rpc_sync)
        self.side = bench.rpc_of(SIZES)


def test_rpcs_side_calls_rpc_and_changes_rows(bench, monkeypatch):
    plain = Plain(bench, monkeypatch)
    for case in bench.CASES:
        assert bench.is_right(plain.side, SIZES, case), case
    assert plain.calls == ["rpc_empty", "rpc_pull_rows", "rpc_push_rows", "rpc_pull_rows", "rpc_pull_dense",
                           "rpc_push_dense", "rpc_pull_dense"]
    assert bench.SERVER["calls"] == {"empty": 1, "pull rows": 2, "push rows": 1, "pull dense": 2, "push dense": 1}


def test_our_side_pushes_and_pulls(bench):
    from pslab.comm import SimWorld

    def program(comm):
        if comm.rank:
            return serve(comm, KVServer(bench.tables_of(SIZES), 0, 1, [0]))
        with KVWorker(comm, [1], bench.tables_of(SIZES)) as kv:
            side = bench.ours_of(kv, SIZES)
            return [bench.is_right(side, SIZES, case) for case in bench.CASES]

    right, stats = SimWorld(2).run(program).results
    assert right == [True] * 5
    assert {name: (table["pulls"], table["pushes"], table["steps"]) for name, table in stats["tables"].items()} == {
        "rows": (2, 1, 1), "dense": (2, 1, 1), "one": (1, 0, 0)}


@pytest.mark.parametrize("case", ["pull rows", "push rows", "pull dense", "push dense"])
@pytest.mark.parametrize("plant", ["nothing happens", "twice", "one element off"])
def test_its_own_check_refuses_wrong_results(bench, monkeypatch, case, plant):
    side, pull = Plain(bench, monkeypatch).side, case.replace("push", "pull")
    right, pulled = side[case], side[pull]

    def off():
        tensor = pulled().clone()
        tensor[-1, -1] += 1
        return tensor

    if plant == "one element off":
        side[pull] = off
    elif case == pull:
        side[case] = (lambda: torch.zeros_like(pulled())) if plant == "nothing happens" else (lambda: 2 * pulled())
    else:
        side[case] = (lambda: None) if plant == "nothing happens" else (lambda: (right(), right()))
    assert not bench.is_right(side, SIZES, case)


def test_a_side_that_is_wrong_or_was_not_called_fails_the_run(bench, monkeypatch, capsys):
    def rows(*_):
        top = {"median_s": 1.0, "min_s": 1.0, "samples_s": [1.0]}
        return [{"case": case, "calls": 1, "ours": top, "rpc": top, "bytes": {"vals": {"to_server": 1, "to_worker": 2}},
                 "rpc_over_ours": 0.9 if case == "empty" else 1.1, "rpc_calls_seen": 1, "rpc_calls_made": 1,
                 "wrong": ["rpc"] if case == "push rows" else [], "ceilings": {}} for case in bench.CASES]

    monkeypatch.setattr(bench, "measure", rows)
    assert call(bench, "--quick") == 1
    printed = capsys.readouterr()
    assert "WRONG RESULT: push rows: ['rpc']" in printed.err
    assert "slower than RPC: empty;" in printed.out


def test_quick_and_defaults(bench, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda *what: asked.append(what) or [])
    call(bench)
    call(bench, "--quick")
    call(bench, "--quick", "--rows", "7", "--dim", "2", "--table-rows", "9", "--dense", "4K", "--repeats", "1")
    assert asked == [({"rows": 4096, "dim": 128, "table_rows": 100_000, "dense": 16 << 20}, 15, "auto", 0.15),
                     ({"rows": 256, "dim": 128, "table_rows": 10_000, "dense": 1 << 20}, 3, "auto", 0.02),
                     ({"rows": 7, "dim": 2, "table_rows": 9, "dense": 4096}, 1, "auto", 0.02)]


@pytest.mark.parametrize("words", [["--rows", "0"], ["--dim", "x"], ["--table-rows", "-1"], ["--dense", "4X"],
                                   ["--repeats", "0"], ["--transport", "pigeon"]])
def test_bad_options_are_refused(bench, words, capsys):
    with pytest.raises(SystemExit) as ended:
        call(bench, *words)
    assert ended.value.code == 2
    assert f"argument {words[0]}" in capsys.readouterr().err


def test_what_cannot_be_is_refused_before_measuring(bench, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench, "measure", lambda *args: pytest.fail("measured"))
    assert call(bench, "--dense", "6K") == 2
    assert "--dense 6144: a multiple of 4096 bytes is needed" in capsys.readouterr().err
    assert call(bench, "--quick", "--json", str(tmp_path / "missing" / "f.json")) == 2
    assert "there is no folder" in capsys.readouterr().err
