"""`pslab demo logistic|factorisation|mlp`: every option has an effect, and the words follow from the figures."""

import json
import re

import pytest

from pslab import cli
from pslab.demo import EXAMPLES


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """run(*words) -> (exit code, what was printed, figures)."""
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "none"))
    monkeypatch.delenv("PSLAB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = cli.main(["demo", *words, "--json", "figures.json"])
        out, err = capsys.readouterr()
        figures = json.loads((tmp_path / "figures.json").read_text()) if code == 0 else None
        return code, out if code == 0 else err, figures

    return call


SHORT = ("--world", "sim", "--data", "made", "--epochs", "1", "--batch-size", "1500")


@pytest.mark.parametrize("name", EXAMPLES)
def test_one_model_on_servers_beside_one_process(run, name):
    code, out, figures = run(name, *SHORT)
    assert code == 0
    assert out.startswith(figures["note"])
    served, alone = figures["served"], figures["alone"]
    assert (served["workers"], served["servers"], served["mode"], served["world"]) == (2, 1, "BSP", "sim")
    assert (alone["workers"], alone["servers"], alone["bytes"]["vals"]) == (1, 0, 0)
    assert served["value"] == pytest.approx(alone["value"], abs=0.02)
    assert f"{served['metric']} {served['value']:.4f} after 1 epoch," in out
    said = re.search(r"3 processes took ([\d.]+) (times as long as|of the time of) one for the same (\d+) rounds "
                     r"on the virtual clock", out)
    assert float(said[1]) == pytest.approx(served["seconds"] / alone["seconds"], abs=0.006)
    assert int(said[3]) == len(served["losses"]) == served["curve"][-1]["rounds"]
    assert served["curve"][-1]["metric"] == served["value"]


def test_each_option_changes_the_run(run):
    first = run("logistic", *SHORT)[2]["served"]
    changes = {"--workers": "3", "--servers": "2", "--mode": "asp", "--epochs": "2", "--batch-size": "700",
               "--seed": "1", "--l1": "90"}
    for option, value in changes.items():
        other = run("logistic", *SHORT, option, value)[2]["served"]
        assert other != first, option
    assert run("logistic", *SHORT)[2]["served"] == first
    assert run("logistic", *SHORT, "--mode", "ssp:2")[2]["served"]["mode"] == "SSP(2)"


def test_l1_is_said_with_what_it_left(run):
    kept = []
    for l1 in ("0", "20"):
        out = run("logistic", *SHORT, "--l1", l1)[1]
        found = re.search(rf"(\d+) of 123 weights are not 0 \(l1 = {l1}\)", out)
        kept.append(int(found[1]))
    assert kept[0] > kept[1]


def test_real_processes_and_real_seconds(run):
    code, out, figures = run("mlp", "--data", "made", "--epochs", "1", "--batch-size", "500")
    assert code == 0
    assert figures["served"]["world"] == "process"
    assert "virtual" not in out
    assert figures["served"]["seconds"] > 0


def test_what_stands_in_is_said(run):
    out = run("factorisation", "--world", "sim", "--epochs", "1")[1]
    assert out.startswith("made from seed 0")
    assert "Not MovieLens: MovieLens-100K is not on this machine" in out


MISTAKES = {
    ("logistic", "--mode", "sync"): "mode 'sync': allowed are bsp, ssp:S",
    ("logistic", "--data", "a9a"): "a9a is not on this machine",
    ("logistic", "--data", "digits"): "invalid choice: 'digits'.*a9a",
    ("logistic", "--l1", "-1"): "l1=-1.0; 0 or a finite number",
    ("mlp", "--l1", "1"): "`pslab demo mlp` does not know --l1",
    ("mlp", "--servers", "0"): "--servers 0: at least 1 is needed",
    ("mlp", "--workers", "0"): "workers=0; a whole number from 1",
    ("mlp", "--epochs", "0"): "epochs=0; a whole number from 1",
    ("mlp", "--batch-size", "0"): "batch=0; a whole number from 1",
    ("mlp", "--world", "torch"): "invalid choice: 'torch'",
    ("factorisation", "--seed", "-1"): "a whole number from 0",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_exit_code_2(run, words):
    code, err, _ = run(*words)
    assert code == 2
    assert re.fullmatch(rf"pslab: .*{MISTAKES[words]}.*\n", err), err
