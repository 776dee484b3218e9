"""TorchWorld under torchrun: one launch, a test for each of its checks; and what it says outside of torchrun."""

import ast
import json
import os
import subprocess
import sys

import pytest
from torch_launch import ROOT, torchrun

SOURCE = ast.parse((ROOT / "tests" / "torch_checks.py").read_text())
NAMES = [node.name for node in SOURCE.body if isinstance(node, ast.FunctionDef) and any(
    isinstance(mark, ast.Name) and mark.id in ("check", "failing") for mark in node.decorator_list)]
NAMES += ["strategy_allreduce", "strategy_server", "strategy_hybrid"]


def reports(tmp_path_factory, ranks, program):
    folder = tmp_path_factory.mktemp("reports")
    code, out, err = torchrun(ranks, str(ROOT / "tests" / program), str(folder))
    return code, [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(ranks)
                  if (folder / f"rank-{rank}.json").exists()], out + err


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    code, found, text = reports(tmp_path_factory, 2, "torch_checks.py")
    assert code == 1, text                       # the last check kills rank 1
    assert "SIGKILL" in text
    return found


def test_the_launch_ran_exactly_these_checks(checks):
    assert [sorted(report) for report in checks] == [sorted([*NAMES, "a_killed_rank_is_named"]), sorted(NAMES)]


@pytest.mark.parametrize("name", NAMES)
def test_check(checks, name):
    for rank, report in enumerate(checks):
        assert report[name] == "ok", f"rank {rank}: {report[name]}"


def test_a_killed_rank_ends_the_waiting_one_by_name(checks):
    assert checks[0]["a_killed_rank_is_named"] == "ok", checks[0]["a_killed_rank_is_named"]


@pytest.mark.long
def test_a_killed_rank_ends_those_who_do_not_wait_for_it(tmp_path_factory):
    code, found, text = reports(tmp_path_factory, 3, "torch_deaths.py")
    assert code == 1, text
    assert "SIGKILL" in text
    assert [report["rank"] for report in found] == [2, 2], text
    for report in found:
        assert report["text"] == "rank 2 is gone: its connection ended before its program did"
        assert report["seconds"] < 5


# ---- outside of torchrun --------------------------------------------------------------------------------------------

GOOD = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29"}


@pytest.mark.parametrize(("changes", "text"), [
    ({"RANK": None, "MASTER_ADDR": None}, "torchrun started, and RANK, MASTER_ADDR is not set"),
    ({"WORLD_SIZE": ""}, "and WORLD_SIZE is not set"), ({"RANK": "x"}, "RANK='x' in the environment is no number"),
    ({"MASTER_PORT": "-1"}, "MASTER_PORT='-1'"), ({"RANK": "2"}, "RANK=2 with WORLD_SIZE=2")])
def test_a_wrong_environment_is_told_with_the_command_to_use(monkeypatch, changes, text):
    from pslab.comm import CommError, TorchWorld

    for name, value in {**GOOD, **changes}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(CommError) as caught:
        TorchWorld()
    assert text in str(caught.value)
    assert str(caught.value).endswith("start the program with: torchrun --nproc-per-node=4 PROGRAM.py")


def test_others_who_never_come_end_the_wait():
    """One of two ranks, alone, without torchrun: an error within its timeout, not a wait for ever."""
    code = "from pslab.comm import TorchWorld; TorchWorld(timeout_s=1.0)"
    env = {**os.environ, **GOOD, "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "CommError: the other processes cannot be met at MASTER_ADDR=127.0.0.1, MASTER_PORT=1" in done.stderr
