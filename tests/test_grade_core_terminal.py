"""The commands of the terminal: pslab check, hint and reset, and how a notebook is read."""

import json
import os
import subprocess
import sys

import grade_toys as toys
import pytest

import pslab.exercises
from pslab.cli import main
from pslab.grade import Criterion, contracts, progress
from pslab.grade.notebook import definitions, read_notebook

WIDE = toys.exercise(id="8.2", names=("one", "other"), title="Two functions", core=False, criteria=(
    Criterion("values", contracts.values(toys.job("one"), otherwise="8/wrong-sum"), 5),
    Criterion("more values", contracts.values(toys.job("other"), otherwise="8/wrong-sum"), 5, hidden=True)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own and the toy lab."""
    monkeypatch.setenv("PSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pslab.exercises, "_LABS", {"8": (toys.exercise(), WIDE)})
    return tmp_path / "home"


def state(exercise_id="8.1"):
    return progress.read()[0]["exercises"].get(exercise_id, {}).get("state")


def cell(text, **role):
    return {"cell_type": "code", "metadata": {"pslab": role} if role else {}, "source": text, "outputs": [],
            "execution_count": None}


def source_of(function):
    import inspect

    return inspect.getsource(function).replace(f"def {function.__name__}", "def ring_all_reduce", 1)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """lab(first, second) writes labs/lab_08_toy.ipynb; the test runs in the folder above."""
    (tmp_path / "labs").mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "labs" / "lab_08_toy.ipynb"

    def write(first, second="def one(comm, x):\n    raise NotImplementedError('8.2')\nother = one"):
        cells = [cell("import torch\n%matplotlib inline\nprint(1 / 0)\nraise SystemExit"),
                 cell(first, answer="8.1"), cell('check("8.1", ring_all_reduce)', check="8.1"),
                 cell(second, answer="8.2"),
                 {"cell_type": "markdown", "metadata": {}, "source": ["text"]}]
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
        return path

    return write


def test_a_lab_is_checked_as_a_table_with_an_exit_code(lab, capsys):
    path = lab(source_of(toys.ring_all_reduce))
    assert main(["check", "8"]) == 1
    said = capsys.readouterr().out
    assert f"lab 8: {path}" in said
    assert "8.1       All-reduce in a ring      passes   3 of 3" in said
    assert "8.2       Two functions (optional)  not yet\n" in said
    assert said.endswith("1 of 2 exercises pass their public checks. 2 hidden ones run when it is graded.\n")
    assert main(["check", "8", "--exercise", "8.1"]) == 0
    assert capsys.readouterr().out.endswith("The public checks pass. 1 hidden one runs when it is graded.\n")
    assert main(["check", str(path), "--exercise", "8.2"]) == 1
    assert (state("8.1"), state("8.2")) == ("passes", "not yet")


def test_a_failing_exercise_is_explained_below_the_table(lab, capsys):
    lab(source_of(toys.whole_tensor))
    assert main(["check", "8", "--exercise", "8.1"]) == 1
    said = capsys.readouterr().out
    assert "8.1       All-reduce in a ring  fails    1 of 3" in said
    assert "right sum, 1.5x the traffic" in said
    assert "rank 0  rank 1  tensor" in said


@pytest.mark.parametrize(("text", "said"), [
    ("def ring_all_reduce(comm, x:\n    return x", "SyntaxError"),
    ("x = 3", "there is no function ring_all_reduce"),
    ("ring_all_reduce = 4", "'int' object is not callable"),
])
def test_a_cell_that_is_no_answer_is_a_verdict(lab, capsys, text, said):
    lab(text)
    assert main(["check", "8", "--exercise", "8.1"]) == 1
    out = capsys.readouterr()
    assert said in out.out, out
    assert "Traceback" not in out.out + out.err


@pytest.mark.parametrize(("argv", "said"), [
    (["check", "77"], "there is no lab '77'; labs: "),
    (["check", "8"], "no notebook of lab 8 (lab_08_*.ipynb) in "),
    (["check", "gone.ipynb"], "No such file"),
    (["check", "8", "--exercise", "9.1"], "--exercise 9.1"),
    (["check", "8", "--exercise", "8.7"], "no exercise '8.7'"),
    (["check"], "LAB|NOTEBOOK"),
    (["check", "8", "--points"], "--points"),
    (["hint", "8.7"], "no exercise '8.7'"),
    (["hint"], "EXERCISE"),
    (["reset", "8"], "no notebook of lab 8"),
])
def test_a_command_line_that_is_wrong_ends_with_code_2(tmp_path, monkeypatch, capsys, argv, said, lab):
    if argv[:2] == ["check", "8"] and len(argv) > 2:
        lab(source_of(toys.stub))
    assert main(argv) == 2
    out = capsys.readouterr()
    assert said in out.err
    assert out.err.startswith("pslab: ")
    assert out.err.count("\n") == 1


@pytest.mark.parametrize(("content", "said"), [
    (b"no json", "is no notebook: it is not JSON"),
    (b'{"cells": 3}', "it has no list of cells"),
    (b'{"nbformat": 3, "cells": []}', "notebook format 3"),
    (b'{"nbformat": 4, "cells": []}', "no answer cells"),
    (b'{"nbformat": 4, "cells": [3]}', "cell 1 is no cell"),
    (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 5}]}', "cell 1 has no text"),
    (b"[" * 100_000, "is no notebook"),
    (b"\xff\xfe\x00", "is no notebook"),
])
def test_a_file_that_is_no_notebook_is_refused_in_words(tmp_path, capsys, content, said):
    path = tmp_path / "mine.ipynb"
    path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_of_plain_cells_only_what_defines_is_taken(lab):
    text = ("import os\n\n@wrap\ndef f():\n    return 1\nrun()\nD: int = 4\nx = load()\nclass A:\n    pass\n"
            "for i in f: go()")
    assert definitions(text) == "import os\n\n@wrap\ndef f():\n    return 1\n\nD: int = 4\n\nclass A:\n    pass\n"
    assert definitions("def broken(:") == ""
    notebook = read_notebook(lab("%time\ndef ring_all_reduce(comm, x):\n    !ls\n    return x"))
    assert notebook.answered == ("8.1", "8.2")
    assert [(owner, c.label, c.needed) for owner, c in notebook.cells][:2] == [
        ("", "cell 1", False), ("8.1", "the cell of 8.1", True)]
    assert notebook.cells[1][1].text == "pass\ndef ring_all_reduce(comm, x):\n    pass\n    return x"
    assert [c.needed for c in notebook.source("8.2").cells] == [False, False, True]


def test_an_answer_whose_cell_has_lost_its_mark_is_found_by_name(lab, capsys):
    path = lab(source_of(toys.ring_all_reduce))
    path.write_text(path.read_text().replace('"answer": "8.1"', '"was": "8.1"'))
    assert main(["check", "8", "--exercise", "8.1"]) == 0
    assert "found by name (ring_all_reduce)" in capsys.readouterr().out


def test_hints_come_one_after_the_other_and_are_counted(capsys):
    for number, words in enumerate(toys.exercise().hints, 1):
        assert main(["hint", "8.1"]) == 0
        said = capsys.readouterr().out
        assert f"hint {number} of 3: {words}" in said
        assert said.count("hint ") == 1
        assert progress.hints_shown("8.1") == number
    main(["hint", "8.1"])
    said = capsys.readouterr().out
    assert "You have seen all 3 hints." in said
    assert said.count("hint ") == 3
    assert progress.hints_shown("8.1") == 3


def test_reset_brings_back_the_committed_notebook_and_keeps_mine(lab, tmp_path, monkeypatch, capsys):
    path = lab("def ring_all_reduce(comm, x):\n    raise NotImplementedError('8.1')")
    fresh = path.read_bytes()
    monkeypatch.setattr("pslab.grade.originals.PACKAGE", tmp_path / "pslab")
    assert main(["reset", "8"]) == 2
    assert "there is no original of lab_08_toy.ipynb" in capsys.readouterr().err
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "labs"], ["commit", "-qm", "labs"]):
        subprocess.run([*git, *command], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    assert main(["reset", "8"]) == 0
    assert "nothing to reset" in capsys.readouterr().out
    for number in (1, 2):
        path.write_bytes(b"mine %d" % number)
        assert main(["reset", "8"]) == 0
        assert f"What you had is lab_08_toy.kept-{number}.ipynb" in capsys.readouterr().out
        assert path.read_bytes() == fresh
        assert path.with_name(f"lab_08_toy.kept-{number}.ipynb").read_bytes() == b"mine %d" % number
    assert main(["check", "8", "--exercise", "8.1"]) == 1, "the notebooks kept aside are not taken for the lab"


def test_reset_of_a_copy_takes_the_packed_original_and_nothing_broken(lab, tmp_path, monkeypatch, capsys):
    path = lab("x = 1")
    monkeypatch.setattr("pslab.grade.originals.PACKAGE", tmp_path / "site" / "pslab")
    packed = tmp_path / "site" / "pslab" / "original_labs" / path.name
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b'{"cells": "none"}')
    before = path.read_bytes()
    assert main(["reset", "8"]) == 2
    assert "is no notebook; nothing was changed" in capsys.readouterr().err
    assert path.read_bytes() == before
    packed.write_bytes(b'{"nbformat": 4, "cells": []}')
    assert main(["reset", "8"]) == 0
    assert path.read_bytes() == packed.read_bytes()


def test_help_of_the_commands_needs_no_torch():
    code = ("import sys\nfrom pslab.cli import main\nmain(['check', '--help'])\nmain(['hint', '--help'])\n"
            "import pslab.grade\nassert not {'torch', 'pslab.exercises'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "LAB|NOTEBOOK" in done.stdout
