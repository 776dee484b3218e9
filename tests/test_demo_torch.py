"""The demo under torchrun: the same table as in the process world, printed once; and what it refuses."""

import json
import re

import pytest
from data_movielens_files import write_movielens
from torch_launch import torchrun

from pslab import cli
from pslab.data import synthetic_click_log
from pslab.demo import Options
from pslab.demo.train import First, Worlds

WORDS = ["--data", "movielens-100k", "--steps", "5", "--batch-size", "48", "--seed", "3", "--json", "figures.json",
         "--picture", "picture.png"]


@pytest.mark.long                       # two whole demos; what it shows is tested in parts in test_comm_torch_world.py
def test_two_and_two_processes_train_what_the_process_world_trains(tmp_path, monkeypatch, capsys):
    write_movielens(tmp_path / "ml-100k", users=40, items=36, ratings=900)
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    words = [str(tmp_path / word) if "." in word else word for word in WORDS]
    code, out, err = torchrun(4, "-m", "pslab", "demo", "--world", "torch", *words)
    assert code == 0, err
    torch_figures = json.loads((tmp_path / "figures.json").read_text())
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    monkeypatch.setattr("pslab.demo.show.draw", lambda *_: type("Blank", (), {"png": lambda self: b""})())
    assert cli.main(["demo", "--world", "process", *words]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    for here, there in zip([*torch_figures["measured"], torch_figures["alone"]],
                           [*figures["measured"], figures["alone"]], strict=True):
        for figure in ("strategy", "losses", "test_auc", "test_log_loss", "port", "bytes", "header_bytes"):
            assert here[figure] == there[figure], f"{here['strategy']}: {figure}"
        assert here["samples_per_s"] > 0
    assert torch_figures["size"] == figures["size"]
    assert len(torch_figures["measured"][0]["losses"]) == 5
    # The same lines, but for samples/s and what follows from them; and each of them once, though four processes ran.
    table = [re.sub(r"[\d,]+ ", "", line, count=1) for line in out.splitlines() if line.startswith("hybrid ")]
    process_out = capsys.readouterr().out
    assert len(table) == 1
    assert table[0].split() == re.sub(r"[\d,]+ ", "", next(
        line for line in process_out.splitlines() if line.startswith("hybrid ")), count=1).split()
    assert out.count("strategy   samples/s") == out.count("picture: ") == 1
    assert "2 workers and 2 servers, processes started by torchrun; 5 steps" in out
    assert "seconds on these machines" in out
    assert len(re.findall(r"hybrid *: +0%", err)) == 1              # one bar, however often it is drawn
    assert re.search("hybrid *: 100%", err)


@pytest.mark.parametrize(("started", "words", "text"), [
    (None, {}, "--world torch: runs in processes that torchrun started; use `torchrun --nproc-per-node=4 "),
    ("3", {}, "2 workers and 2 servers are 4 processes, and torchrun started 3; use `torchrun --nproc-per-node=4 "),
    ("1", {"strategy": "allreduce"}, "2 workers and 0 servers are 2 processes, and torchrun started 1")])
def test_too_few_processes_are_refused_with_the_command_to_use(tmp_path, monkeypatch, started, words, text):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if started:
        monkeypatch.setenv("WORLD_SIZE", started)
    with pytest.raises(ValueError) as caught:
        Options(world="torch", picture=str(tmp_path / "a.png"), **words)
    assert text in str(caught.value)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Options(world="torch", picture=str(tmp_path / "a.png"), **words).world == "torch"


class Told:
    """Stands for a TorchWorld of three processes that found these data."""

    rank = 1

    def __init__(self, others):
        self.others = others

    def run(self, program, **options):
        assert options == {"gather": True}
        return type("Run", (), {"results": [program(None), *self.others]})

    def close(self):
        self.closed = True


def test_processes_with_other_data_are_named(monkeypatch, tmp_path):
    log = synthetic_click_log(1, train_rows=50, test_rows=9, tables=(6, 3), num_dense=3)
    mine = ["synthetic", 50, 9]
    monkeypatch.setenv("WORLD_SIZE", "4")
    for others, wrong in (([mine, mine], None), ([mine, ["movielens-100k", 50, 9]], 2),
                          ([["synthetic", 51, 9], mine], 1)):
        told = Told(others)
        monkeypatch.setattr("pslab.demo.train.TorchWorld", lambda seed, told=told: told)
        with Worlds(Options(world="torch", picture=str(tmp_path / "a.png"))) as worlds:
            assert not worlds.leads
            assert worlds.of(2) == First(told, 2)
            if wrong is None:
                worlds.check_data(log)
            else:
                with pytest.raises(ValueError, match=f"--data auto: rank 0 has .*, rank {wrong} has .*; give"):
                    worlds.check_data(log)
        assert told.closed
