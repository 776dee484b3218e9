"""What the demo refuses, before it trains anything; and how it writes files."""

import argparse
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pslab import cli
from pslab.demo import Options, add_arguments
from pslab.demo.options import ORDER
from pslab.files import write_aside


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return Options.of(parser.parse_args(words))


def test_help_waits_for_no_tensors():
    code = ("import argparse, sys, pslab.demo; pslab.demo.add_arguments(argparse.ArgumentParser()); "
            "sys.exit(bool({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_defaults_are_the_main_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = parsed()
    assert options == Options()
    assert (options.servers, options.workers, options.strategies) == (2, 2, ORDER)
    assert ORDER[0] == "hybrid"
    assert options.picture == "pslab-demo.png"
    assert not list(tmp_path.iterdir())         # looking whether a folder can be written leaves nothing there


def test_every_option_is_read(tmp_path):
    words = {"servers": 3, "workers": 4, "strategy": "server", "data": "synthetic", "steps": 5, "batch_size": 64,
             "lr": 0.5, "staleness": 3, "cache_rows": 70, "world": "sim", "seed": 9,
             "picture": str(tmp_path / "a.png"), "json": str(tmp_path / "b")}
    options = parsed(*(text for name, value in words.items()
                       for text in (f"--{name.replace('_', '-')}", str(value))))
    assert options == Options(**words)
    assert set(words) == set(vars(options))
    assert options.strategies == ("server",)


@pytest.mark.parametrize(("words", "message"), [
    (["--steps", "0"], "--steps 0: a whole number from 1"),
    (["--workers", "0"], "--workers 0: a whole number from 1"),
    (["--servers", "0"], "--servers 0: a whole number from 1 is needed for strategy all"),
    (["--servers", "0", "--strategy", "hybrid"], "--servers 0: .* for strategy hybrid"),
    (["--servers", "-1", "--strategy", "allreduce"], "--servers -1: a whole number from 0"),
    (["--strategy", "ring"], "--strategy ring: allowed are hybrid, allreduce, server, all"),
    (["--data", "avazu"], "--data avazu: allowed are auto, movielens-100k, criteo, synthetic"),
    (["--world", "ray"], "--world ray: allowed are process, sim, torch"),
    (["--seed", "-1"], "--seed -1"),
    (["--batch-size", "1"], "--batch-size 1: a whole number from 2 is needed, a row for each worker"),
    (["--seed", str(2**63)], "--seed 9223372036854775808: a whole number below"),
    (["--workers", "63"], "--workers 63 --servers 2: 65 processes; at most 64 .*--world sim"),
    (["--staleness", "-1"], "--staleness -1: a whole number from 0, or inf"),
    (["--cache-rows", "-5"], "--cache-rows -5: a whole number from 0"),
    (["--staleness", "2", "--strategy", "allreduce"], "--staleness 2: strategy allreduce has no servers"),
    (["--cache-rows", "9", "--strategy", "allreduce"], "--cache-rows 9: strategy allreduce has no servers"),
    (["--lr", "0"], "--lr 0.0: a finite number above 0"),
    (["--lr", "nan"], "--lr nan"),
    (["--picture", "demo.jpg"], "--picture demo.jpg: a name that ends in .png"),
    (["--picture", "nowhere/demo.png"], "--picture nowhere/demo.png: there is no folder nowhere"),
    (["--json", "nowhere/f.json"], "--json nowhere/f.json: there is no folder nowhere"),
    (["--json", "."], "--json .: this is a folder"),
    (["--json", "a.png", "--picture", "./a.png"], "--json a.png: the picture goes there; another name"),
    (["--picture", "/proc/demo.png"], "--picture /proc/demo.png: the folder /proc cannot be written to"),
])
def test_refused_before_training(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pslab.demo.show.load", lambda *_: pytest.fail("data was loaded"))
    with pytest.raises(ValueError, match=message):
        parsed(*words)
    assert cli.main(["demo", *words]) == 2                      # and as one line on the command line
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("text", ["1.5", "", "three", "nan", "1_0"])
def test_a_staleness_that_is_no_number_is_told_what_is_needed(text, capsys):
    assert cli.main(["demo", "--staleness", text]) == 2
    told = capsys.readouterr().err
    assert f"argument --staleness: {text!r}: a whole number from 0, or inf, is needed" in told


def test_no_servers_needed_for_allreduce(tmp_path):
    assert parsed("--servers", "0", "--strategy", "allreduce", "--picture", str(tmp_path / "a.png")).servers == 0


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    write_aside(str(target), b"first")
    assert target.read_bytes() == b"first"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_aside(str(target), b"second")
    assert target.read_bytes() == b"first"
    assert [path.name for path in Path(tmp_path).iterdir()] == ["a.json"]
