"""The all-reduce benchmark: what it checks, counts and writes; every option; no timing is judged here."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pslab.cost import ring_all_reduce

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("allreduce", FOLDER / "allreduce.py")
    module = sys.modules["allreduce"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("allreduce")
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


@pytest.mark.parametrize("transport", ["auto", "tcp"])
def test_a_small_run_of_three_ranks_and_its_figures(bench, tmp_path, capsys, transport):
    file = tmp_path / "figures.json"
    assert call(bench, "--sizes", "4K,40020", "--world-sizes", "3", "--repeats", "2", "--transport", transport,
                "--json", str(file)) == 0
    figures = json.loads(file.read_text())
    assert figures["transport"] == transport
    assert figures["machine"]["torch"] == torch.__version__
    assert figures["machine"]["cores"] >= 1
    assert [(r["world_size"], r["size_bytes"]) for r in figures["results"]] == [(3, 4096), (3, 40020)]
    for r in figures["results"]:
        assert r["correct"]
        assert r["wrong"] == []
        traffic = ring_all_reduce(r["size_bytes"] // 4, 3, 4)
        assert r["port_bytes"] == max(max(port.out_bytes, port.in_bytes) for port in traffic.ports)
        assert r["total_bytes"] == 2 * 2 * r["size_bytes"]
        for side in ("ours", "kit", "gloo"):
            assert len(r[side]["samples_s"]) == 2
            assert r[side]["median_s"] == statistics.median(r[side]["samples_s"]) > 0
            assert r[side]["busbw_Bps"] == pytest.approx(r["size_bytes"] / r[side]["median_s"] * 4 / 3)
            assert r["calls"][side] >= 1
        assert r["gloo_over_ours"] == pytest.approx(r["gloo"]["median_s"] / r["ours"]["median_s"])
        assert r["gloo_over_kit"] == pytest.approx(r["gloo"]["median_s"] / r["kit"]["median_s"])
        assert {name: len(c["samples_s"]) for name, c in r["ceilings"].items()} == {"memcpy": 2, "add": 2}
    out = capsys.readouterr().out
    assert "4 KB" in out
    assert "40020 B" in out
    assert f"{figures['results'][0]['port_bytes']:,} B" in out
    assert "slower than Gloo: " in out
    assert not list(tmp_path.glob("*.part"))


def fake_row(K, size, repeats, transport, pin, wrong=()):
    times = {"median_s": 1.0, "min_s": 1.0, "samples_s": [1.0] * repeats, "busbw_Bps": 1.0}
    return {"world_size": K, "size_bytes": size, "calls": {}, "port_bytes": 1, "total_bytes": 2, "wrong": list(wrong),
            "correct": not wrong, "ours": times, "kit": times, "gloo": times, "gloo_over_ours": 1.0,
            "gloo_over_kit": 1.0, "ceilings": {"memcpy": times, "add": times}}


@pytest.mark.parametrize(("words", "expected"), [
    ([], [(K, size, 9, "auto", False) for K in (2, 4) for size in (4096, 65536, 1 << 20, 16 << 20, 64 << 20)]),
    (["--quick"], [(2, 4096, 3, "auto", False), (2, 1 << 20, 3, "auto", False)]),
    (["--quick", "--sizes", "8", "--world-sizes", "3,5", "--repeats", "7", "--transport", "tcp", "--pin"],
     [(3, 8, 7, "tcp", True), (5, 8, 7, "tcp", True)])])
def test_options_reach_the_measuring(bench, monkeypatch, words, expected):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda *args: asked.append(args) or fake_row(*args))
    assert call(bench, *words) == 0
    assert asked == expected


@pytest.mark.parametrize(("transport", "pin"), [("shm", []), ("tcp", ["--pin"])])
def test_the_transport_reaches_the_world(bench, monkeypatch, transport, pin):
    class Enough(Exception):
        pass

    def spy(world_size, *, transport, pin):
        raise Enough(world_size, transport, pin)

    monkeypatch.setattr("pslab.comm.ProcessWorld", spy)
    with pytest.raises(Enough) as seen:
        call(bench, "--quick", "--transport", transport, *pin)
    assert seen.value.args == (2, transport, bool(pin))


def test_a_wrong_result_is_an_error(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda *args: fake_row(*args, wrong=["gloo"]))
    assert call(bench, "--quick", "--sizes", "4K") == 1
    assert "WRONG RESULT: K = 2, 4 KB: ['gloo']" in capsys.readouterr().err


RIVAL = """#!{python}
import json, sys
assert sys.argv[1:4] == ["--oversubscribe", "-n", "2"] and sys.argv[5].endswith("bench_openmpi.py"), sys.argv
size, calls, repeats = map(int, sys.argv[6:])
print("a line of its own")
print(json.dumps({{"seconds": [calls * size] * repeats, "correct": {correct}, "version": "Open MPI v0"}}))
"""


def with_rival(tmp_path, monkeypatch, correct=True):
    """A stand-in for mpirun, whose figures are known."""
    tmp_path.joinpath("mpirun").write_text(RIVAL.format(python=sys.executable, correct=correct))
    tmp_path.joinpath("mpirun").chmod(0o755)
    tmp_path.joinpath("mpi4py.py").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


def test_open_mpi_stands_beside_the_others(bench, tmp_path, monkeypatch, capsys):
    with_rival(tmp_path, monkeypatch)
    monkeypatch.setattr(bench, "measure", lambda *args: fake_row(*args) | {"calls": {"ours": 5}})
    file = tmp_path / "figures.json"
    assert call(bench, "--sizes", "4K,8", "--world-sizes", "2", "--repeats", "3", "--openmpi", "--json", str(file)) == 0
    first, second = json.loads(file.read_text())["results"]
    assert first["openmpi"]["samples_s"] == [5 * 4096] * 3
    assert second["openmpi"]["median_s"] == second["openmpi_over_ours"] == second["openmpi_over_kit"] == 5 * 8
    assert second["openmpi"]["busbw_Bps"] == pytest.approx(8 / 40)
    out = capsys.readouterr().out
    assert "mpi/ours" in out
    assert "slower than Open MPI v0, with ordinary tensors: nowhere" in out


def test_a_wrong_sum_of_open_mpi_is_an_error(bench, tmp_path, monkeypatch, capsys):
    with_rival(tmp_path, monkeypatch, correct=False)
    monkeypatch.setattr(bench, "measure", lambda *args: fake_row(*args) | {"calls": {"ours": 5}})
    assert call(bench, "--sizes", "4K", "--world-sizes", "2", "--openmpi") == 1
    assert "WRONG RESULT: K = 2, 4 KB: ['openmpi']" in capsys.readouterr().err


def test_open_mpi_that_is_not_there(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert call(bench, "--quick", "--openmpi") == 2
    assert "there is no mpirun on the PATH" in capsys.readouterr().err
    with_rival(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert call(bench, "--quick", "--openmpi") == 2
    assert "pip install mpi4py" in capsys.readouterr().err


def test_an_mpirun_that_fails_says_why(bench, tmp_path, monkeypatch):
    with_rival(tmp_path, monkeypatch)
    monkeypatch.setattr(bench, "measure", lambda *args: fake_row(*args) | {"calls": {"ours": 5}})
    with pytest.raises(RuntimeError, match=r"mpirun ended with 1: (.|\n)*AssertionError"):
        call(bench, "--sizes", "4K", "--world-sizes", "3", "--openmpi")


def what_each_side_calls(comm, P, folder):
    """Runs the race with every call noted: what was called, on which backend, on a tensor in kit memory or not."""
    import os

    import torch.distributed as dist
    from allreduce import race

    import pslab.collectives
    calls, ours, theirs = set(), pslab.collectives.all_reduce, dist.all_reduce

    def noted_ours(comm, tensor, *more):
        calls.add(("ours", comm._endpoint.heap.find(tensor.numpy()) is not None))
        ours(comm, tensor, *more)

    def noted_theirs(tensor, *more):
        calls.add((dist.get_backend(), dist.get_world_size(), comm._endpoint.heap.find(tensor.numpy()) is not None))
        theirs(tensor, *more)

    pslab.collectives.all_reduce, dist.all_reduce = noted_ours, noted_theirs
    try:
        race(comm, P, 1, os.path.join(folder, "store"))
    finally:
        pslab.collectives.all_reduce, dist.all_reduce = ours, theirs
    return sorted(map(str, calls))


def test_gloo_is_gloo_and_kit_memory_is_kit_memory(bench, tmp_path):
    from pslab.comm import ProcessWorld
    with ProcessWorld(2, transport="shm") as world:
        for calls in world.run(what_each_side_calls, 20_000, str(tmp_path)).results:
            assert calls == ["('gloo', 2, False)", "('ours', False)", "('ours', True)"]


def test_a_figure_is_the_slowest_rank_of_each_loop(bench, monkeypatch):
    class World:
        def __init__(self, *args, **kwargs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def run(self, program, *args, **kwargs):
            class Ledger:
                def busiest_port(self):
                    return 0, "out", 1

                def total(self):
                    return 2

            ranks = [{"seconds": dict.fromkeys(bench.SIDES, times), "calls": {}, "wrong": [],
                      "ceilings": {"memcpy": [1.0], "add": [1.0]}} for times in ([1.0, 5.0, 2.0], [4.0, 3.0, 2.5])]
            return SimpleNamespace(ledger=Ledger(), results=ranks)

    monkeypatch.setattr("pslab.comm.ProcessWorld", World)
    row = bench.measure(2, 4096, 3, "auto", False)
    assert row["ours"]["samples_s"] == [4.0, 5.0, 2.5]
    assert row["ours"]["median_s"] == 4.0


def test_slower_places_are_named(bench, monkeypatch, capsys):
    def row(*args):
        return {**fake_row(*args), "gloo_over_ours": 0.9 if args[1] == 4096 else 1.2}

    monkeypatch.setattr(bench, "measure", row)
    call(bench, "--sizes", "4K,1M", "--world-sizes", "2")
    assert "slower than Gloo: K = 2 4 KB;" in capsys.readouterr().out


class Rank0:
    rank, world_size = 0, 2


def halves_swapped(x):
    half = len(x) // 2
    x[:half], x[half:] = x[half:].clone(), x[:half].clone()


@pytest.mark.parametrize(("size", "plant", "right"), [
    (1 << 16, lambda x, other: x.add_(other), True), (1 << 16, lambda x, other: x.mul_(2), False),
    (1 << 16, lambda x, other: None, False), (1 << 16, lambda x, other: halves_swapped(x.add_(other)), False),
    (1 << 16, lambda x, other: x[:-1].add_(other[:-1]), False)],
    ids=["sum", "own times K", "nothing", "halves swapped", "last element dropped"])
def test_its_own_check_refuses_wrong_results(bench, size, plant, right):
    x = torch.empty(size)
    other = (torch.arange(size) % 4093).float() * 2 + 1
    assert bench.is_right(Rank0, x, lambda: plant(x, other)) is right


@pytest.mark.parametrize("words", [["--sizes", "4X"], ["--sizes", "0"], ["--sizes", "6"], ["--sizes", ","],
                                   ["--sizes", "-4K"], ["--world-sizes", "1"], ["--world-sizes", "two"],
                                   ["--repeats", "0"], ["--transport", "pigeon"], ["--sizes", "B"]])
def test_bad_options_are_refused(bench, words, capsys):
    with pytest.raises(SystemExit) as ended:
        call(bench, *words)
    assert ended.value.code == 2
    assert f"argument {words[0]}" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused_before_measuring(bench, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench, "measure", lambda *args: pytest.fail("measured"))
    for bad in (tmp_path / "missing" / "f.json", tmp_path):
        assert call(bench, "--quick", "--json", str(bad)) == 2
        assert f"--json {bad}: " in capsys.readouterr().err


def test_sizes_and_times_as_text():
    sys.path.insert(0, str(FOLDER))
    try:
        from bench_common import size_bytes, size_text, time_text
    finally:
        sys.path.remove(str(FOLDER))
    assert [size_bytes(t) for t in ("4K", "4kb", "64 K".replace(" ", ""), "1M", "2G", "12", "12B")] == [
        4096, 4096, 65536, 1 << 20, 2 << 30, 12, 12]
    assert [size_text(n) for n in (4096, 1 << 20, 64 << 20, 12, 5000)] == ["4 KB", "1 MB", "64 MB", "12 B", "5000 B"]
    assert [time_text(t) for t in (2.0, 0.0123, 45.6e-6, 0.5e-6)] == ["2 s", "12.3 ms", "45.6 µs", "0.5 µs"]
