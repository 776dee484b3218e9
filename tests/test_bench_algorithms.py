"""The benchmark of the algorithms: what it checks, counts, draws and writes; every option; no timing is judged here."""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from pslab import cost

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """As `pslab bench` loads it: under its own name, so that the ranks can import it too."""
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("algorithms", FOLDER / "algorithms.py")
    module = sys.modules["algorithms"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("algorithms")
    sys.modules.pop("algorithms_picture", None)
    while str(FOLDER) in sys.path:
        sys.path.remove(str(FOLDER))


def call(bench, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(words))


def test_a_small_run_its_figures_and_its_picture(bench, tmp_path, capsys):
    file, image = tmp_path / "figures.json", tmp_path / "picture.png"
    assert call(bench, "--sizes", "4K,40020", "--world-sizes", "3", "--repeats", "2", "--json", str(file), "--plot",
                str(image)) == 0
    figures = json.loads(file.read_text())
    (world,) = figures["worlds"]
    assert world["world_size"] == 3
    assert world["alpha_s"] > 0
    assert set(world["factors"]) == set(cost.ALL_REDUCES) == set(bench.FIXED)
    model = cost.Fitted(cost.AlphaBeta(world["alpha_s"], world["bandwidth_Bps"]), 3, world["factors"])
    assert world["switches"][0][0] == 4096
    for r in world["results"]:
        assert r["wrong"] == []
        assert r["chosen"] in model.fastest(r["size_bytes"] // 4).seconds
        for side in (*bench.FIXED, "auto"):
            assert r[side]["median_s"] == statistics.median(r[side]["samples_s"]) > 0
            assert len(r[side]["samples_s"]) == 2
        assert r[r["best"]]["median_s"] == min(r[name]["median_s"] for name in bench.FIXED)
        assert r["auto_over_best"] == r["auto"]["median_s"] / r[r["best"]]["median_s"]
    rows = {(r["gbit_per_s"], r["size_bytes"], r["algorithm"]): r for r in figures["prediction"]}
    assert set(rows) == {(g, n, a) for g in (1, 4) for n in (4096, 40020) for a in ("ring", "halving_doubling")}
    for (gbit, size, name), r in rows.items():
        form = cost.AlphaBeta(50e-6, gbit * 125e6, 0.0)
        assert r["predicted_s"] == cost.all_reduce_s(name, size // 4, 3, form)
        assert r["measured_over_predicted"] == r["median_s"] / r["predicted_s"] > 0.99, "a throttled link is no faster"
        assert len(r["samples_s"]) == 2
    out = capsys.readouterr().out
    for text in ("40020 B", "auto takes", "measured/predicted", "auto / best: "):
        assert text in out
    with Image.open(image) as picture:
        assert picture.width > 300


def fake_world(K, sizes, repeats, transport, pin, chosen="ring", wrong=()):
    side = {"median_s": 1e-3, "min_s": 1e-3, "samples_s": [1e-3] * repeats}
    results = [{"size_bytes": n, "chosen": chosen, "best": "binomial", "auto_over_best": 1.0 + n / 1e4,
                "wrong": list(wrong), **dict.fromkeys(("ring", "chunked_ring", "binomial", "halving_doubling",
                                                       "recursive_doubling", "hierarchical", "auto"), side)}
               for n in sizes]
    return {"world_size": K, "fit_s": 1.0, "alpha_s": 1e-5, "bandwidth_Bps": 1e9, "factors": {},
            "switches": [[sizes[0], chosen], [8192, "binomial"]], "results": results}


ALL = [1 << power for power in range(10, 25, 2)]
LONG = [1 << 20, 4 << 20, 16 << 20, 64 << 20]


@pytest.mark.parametrize(("words", "worlds", "links"), [
    ([], [(2, [*ALL, 64 << 20], 9, "auto", False), (3, ALL, 9, "auto", False), (4, ALL, 9, "auto", False)],
     [(K, LONG, 9, "auto", False, g) for K in (2, 3) for g in (1, 4)]),
    (["--quick"], [(2, [4096, 1 << 20], 3, "auto", False)], [(2, [1 << 20], 3, "auto", False, g) for g in (1, 4)]),
    (["--part", "choice", "--sizes", "8", "--world-sizes", "2,5", "--repeats", "7", "--transport", "tcp", "--pin"],
     [(2, [8], 7, "tcp", True), (5, [8], 7, "tcp", True)], []),
    (["--part", "prediction", "--sizes", "1M", "--world-sizes", "3,4"], [],
     [(3, [1 << 20], 9, "auto", False, g) for g in (1, 4)])])
def test_options_reach_the_measuring(bench, monkeypatch, words, worlds, links):
    asked, predicted = [], []
    monkeypatch.setattr(bench, "measure", lambda *args: asked.append(args) or fake_world(*args))
    monkeypatch.setattr(bench, "predict", lambda *args: predicted.append(args) or [])
    assert call(bench, *words) == 0
    assert asked == worlds
    assert predicted == links


def test_the_transport_and_the_link_reach_the_world(bench, monkeypatch):
    class Enough(Exception):
        pass

    def spy(world_size, **options):
        raise Enough(world_size, options)

    monkeypatch.setattr("pslab.comm.ProcessWorld", spy)
    for words, gbit in ((["--part", "choice"], None), (["--part", "prediction"], 1)):
        with pytest.raises(Enough) as seen:
            call(bench, "--quick", "--transport", "tcp", "--pin", *words)
        world_size, options = seen.value.args
        assert (world_size, options["transport"], options["pin"]) == (2, "tcp", True)
        assert (options["link"].bandwidth_Bps == gbit * 125e6) if gbit else ("link" not in options)


def test_what_is_slower_is_named_and_a_wrong_result_is_an_error(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda *args: fake_world(*args, wrong=["auto"]))
    assert call(bench, "--part", "choice", "--sizes", "40,4000", "--world-sizes", "2") == 1
    said = capsys.readouterr()
    assert "auto / best: 1.40 at worst (K = 2, 4000 B); above 1.10: K = 2, 4000 B\n" in said.out
    assert "WRONG RESULT: K = 2, 4000 B: ['auto']" in said.err


@pytest.mark.parametrize(("words", "message"), [
    (["--plot", "picture.svg"], "a name that ends in .png is needed"),
    (["--part", "prediction", "--plot", "picture.png"], "what it draws is of --part choice"),
    (["--json", "missing/figures.json"], "--json missing/figures.json: ")])
def test_files_are_refused_before_measuring(bench, monkeypatch, capsys, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "measure", lambda *args: pytest.fail("measured"))
    monkeypatch.setattr(bench, "predict", lambda *args: pytest.fail("measured"))
    assert call(bench, *words) == 2
    assert message in capsys.readouterr().err


def test_the_picture_tells_its_numbers_and_marks_the_switches(bench):
    from algorithms_picture import picture
    drawn = picture({"worlds": [fake_world(K, [1024, 4096, 1 << 20], 1, "auto", False) for K in (2, 4)]})
    assert drawn.table.columns[:2] == ["K", "size"]
    assert drawn.table.rows[4][:3] == [4, "4 KB", 1.0]
    assert drawn.table.column("auto takes") == ["ring"] * 6
    panels = drawn.figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["K = 2", "K = 4"]
    for axes in panels:
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert "(bytes" in axes.get_xlabel()
        assert [note.get_text() for note in axes.texts] == ["ring", "binomial tree"]
        assert [note.xy[0] for note in axes.texts] == [1024, 8192]
    assert "(ms)" in panels[0].get_ylabel()


class Rank0:
    rank, world_size = 0, 2


def test_its_own_check_refuses_wrong_results(bench):
    x, other = torch.empty(1 << 16), (torch.arange(1 << 16) % 4093).float() * 2 + 1
    assert bench.is_right(Rank0, x, lambda: x.add_(other))
    assert not bench.is_right(Rank0, x, lambda: x.mul_(2))
    assert not bench.is_right(Rank0, x, lambda: x[:-1].add_(other[:-1]))


@pytest.mark.parametrize("words", [["--sizes", "4X"], ["--world-sizes", "1"], ["--repeats", "0"], ["--part", "all"]])
def test_bad_options_are_refused(bench, words, capsys):
    with pytest.raises(SystemExit) as ended:
        call(bench, *words)
    assert ended.value.code == 2
    assert f"argument {words[0]}" in capsys.readouterr().err
