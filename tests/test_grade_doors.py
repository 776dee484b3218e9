"""What an answer may not import is refused behind every door: the check cell, `pslab check`, `pslab grade`."""

import json

import grade_toys as toys
import pytest

import pslab.exercises
from pslab.cli import main
from pslab.grade import Criterion, Verdict, check
from pslab.grade.batch_one import Order, grade_one

CODE = "def f():\n    from pslab import cost\n    return cost.__name__\n"


def answered(answers, case):
    return Verdict(True, seen=answers.call("f"))


LOOKS_UP = toys.exercise(id="8.3", names=("f",), criteria=(Criterion("it answers", answered, 10),),
                         forbidden=("pslab.cost",))


@pytest.fixture(autouse=True)
def toy_lab(tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(pslab.exercises, "_LABS", {"8": (LOOKS_UP,)})


@pytest.fixture
def notebook(tmp_path):
    cell = {"cell_type": "code", "metadata": {"pslab": {"answer": "8.3"}}, "source": CODE, "outputs": [],
            "execution_count": None}
    path = tmp_path / "ann.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    return path


def test_the_check_cell_refuses_it(capsys):
    def f():
        from pslab import cost
        return cost.__name__

    assert not check("8.3", f).passed
    assert "your code imported pslab.cost" in capsys.readouterr().out


def test_the_terminal_refuses_it(notebook, capsys):
    assert main(["check", str(notebook)]) == 1
    assert "your code imported pslab.cost" in capsys.readouterr().out


def test_the_grader_refuses_it(notebook):
    data, _ = grade_one(Order(notebook, "ann", pages=False))
    (verdict,) = data["exercises"][0]["verdicts"]
    assert verdict["misconception"] == "all/forbidden"
    assert verdict["seen"].startswith("your code imported pslab.cost")
