"""The doors of a student: the check cell in a real box, and the commands of the terminal."""

import json
import os
import subprocess
import sys
import threading

import grade_toys as toys
import pytest

import pslab.exercises
from pslab.cli import main
from pslab.grade import BoxTrouble, Criterion, Verdict, assert_check, check, checking, contracts, feedback, progress
from pslab.grade.notebook import definitions, read_notebook

WIDE = toys.exercise(id="8.2", names=("one", "other"), title="Two functions", core=False, criteria=(
    Criterion("values", contracts.values(toys.job("one"), otherwise="8/wrong-sum"), 5),
    Criterion("more values", contracts.values(toys.job("other"), otherwise="8/wrong-sum"), 5, hidden=True)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, the toy lab, and no nbgrader."""
    monkeypatch.setenv("PSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(pslab.exercises, "_LABS", {"8": (toys.exercise(), WIDE)})
    return tmp_path / "home"


def state(exercise_id="8.1"):
    return progress.read()[0]["exercises"].get(exercise_id, {}).get("state")


# ---- the check cell ------------------------------------------------------------------------------------------------


def test_a_right_answer_is_told_so_with_its_picture(capsys):
    report = check("8.1", toys.ring_all_reduce)
    said = capsys.readouterr().out
    assert report.passed
    assert "3 of 3 public checks pass" in said
    assert "The public checks pass; 1 hidden one runs when it is graded." in said
    assert "Your run: K=3," in said
    assert "rank 0  rank 1  tensor" in said
    assert state() == "passes"
    assert repr(report) == "Report(8.1: 3 of 3 pass)"


def test_a_wrong_answer_is_told_what_where_and_why(capsys):
    report = check("8.1", toys.whole_tensor)
    said = capsys.readouterr().out
    assert not report.passed
    assert "right sum, 1.5x the traffic of the bound: 48 bytes in total" in said
    assert "why       You send the whole tensor at each step; a chunk is enough." in said
    assert "Your run: K=3, 2 elements, whole numbers" in said
    assert state() == "fails"


def talks(comm, x):
    print("I hold", float(x.sum()))
    return x


def test_what_an_answer_prints_is_there_when_it_fails(capsys):
    check("8.1", talks)
    assert "printed   rank 0: I hold " in capsys.readouterr().out


def test_a_stub_has_its_fixed_text(capsys):
    assert check("8.1", toys.stub).not_yet
    assert capsys.readouterr().out == "8.1: not yet\n"
    assert state() == "not yet"


@pytest.mark.parametrize(("function", "words"), [
    (toys.all_send_first, ("deadlock: no rank can ever go on", "line 207 in all_send_first", "Every rank waits")),
    (toys.too_early, ("of isend(dst=1, tag=0)", "was changed before its wait()", "belongs to the message until wait")),
    (toys.crash, ("IndexError: list index out of range", "in crash", "stopped with an error")),
])
def test_an_answer_that_stops_is_explained(function, words, capsys):
    assert not check("8.1", function).passed
    said = " ".join(capsys.readouterr().out.split())
    for part in words:
        assert part in said, said


@pytest.mark.serial
def test_a_check_takes_less_than_a_second_once_warm(capsys):
    """Forty-five runs of up to seven ranks. The promise is a second; a machine that others use may take two."""
    check("8.1", toys.ring_all_reduce)
    assert min(check("8.1", toys.ring_all_reduce).seconds for _ in range(5)) < 2.0


@pytest.mark.parametrize(("call", "said"), [
    (("8.9", toys.stub), "there is no exercise '8.9'; lab 8 has 8.1, 8.2"),
    (("66.1", toys.stub), "there is no lab '66'"),
    (("8.1",), "8.1 checks 1 function, 0 given; write check('8.1', ring_all_reduce)"),
    (("8.2", toys.stub), "8.2 checks 2 functions, 1 given; write check('8.2', one, other)"),
    (("8.1", 7), "ring_all_reduce is a int, not a function"),
])
def test_a_call_that_is_wrong_is_explained_and_does_not_raise(call, said, capsys):
    assert check(*call) is None
    assert said in capsys.readouterr().out
    with pytest.raises(ValueError):
        assert_check(*call)


def test_a_fault_of_the_course_or_the_machine_is_not_blamed_on_the_student(capsys, monkeypatch):
    broken = toys.exercise(criteria=(Criterion("c", lambda a, c: Verdict(False, misconception="8/unheard-of"), 10),))
    assert check(broken, toys.ring_all_reduce) is None
    assert "the check itself failed, which is no fault of your answer" in capsys.readouterr().out

    def no_room(*_, **__):
        raise BoxTrouble("there is no room")

    monkeypatch.setattr(checking, "public_report", no_room)
    assert check("8.1", toys.ring_all_reduce) is None
    assert "this machine cannot run a check: there is no room" in capsys.readouterr().out
    assert state() is None


def test_a_function_that_cannot_be_copied_is_explained(capsys):
    lock = threading.Lock()

    def holds_a_lock(comm, x):
        with lock:
            return x

    assert check("8.1", holds_a_lock).state == "fails"
    said = " ".join(capsys.readouterr().out.split())
    assert "your function cannot be copied into a process of its own" in said
    assert "a function that stands on its own" in said


def test_a_report_at_the_end_of_a_cell_prints_nothing_again(capsys):
    report = check("8.1", toys.stub)
    capsys.readouterr()
    report._ipython_display_()
    assert capsys.readouterr().out == ""


def test_a_check_goes_on_where_progress_cannot_be_saved(home, capsys):
    home.write_text("a file where the folder should be")
    assert check("8.1", toys.ring_all_reduce).passed
    assert "(your progress could not be saved" in capsys.readouterr().out


def test_the_hint_shown_is_the_furthest_one_asked_for(capsys):
    assert main(["hint", "8.1"]) == main(["hint", "8.1"]) == 0
    check("8.1", toys.crash)
    assert "hint 2 of 3: First reduce, then gather." in capsys.readouterr().out.rpartition("why")[2]


def test_assert_check_raises_what_the_student_reads(capsys):
    with pytest.raises(AssertionError, match="1.5x the traffic of the bound"):
        assert_check("8.1", toys.whole_tensor)
    with pytest.raises(AssertionError, match="8.1: not yet"):
        assert_check("8.1", toys.stub)
    assert assert_check("8.1", toys.ring_all_reduce).passed


@pytest.mark.parametrize("variable", [("NBGRADER_EXECUTION", "autograde"), ("NBGRADER_EXECUTION", "validate"),
                                      ("PSLAB_ASSERT", "1")])
def test_under_nbgrader_the_same_cell_asserts(variable, monkeypatch):
    monkeypatch.setenv(*variable)
    with pytest.raises(AssertionError, match="not yet"):
        check("8.1", toys.stub)
    with pytest.raises(AssertionError, match="no exercise '8.9'"):
        check("8.9", toys.stub)
    assert check("8.1", toys.ring_all_reduce).passed


def test_in_a_notebook_the_picture_is_an_image_with_its_twin(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(feedback, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    check("8.1", toys.whole_tensor)
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "rank 0  rank 1  tensor" in data["text/plain"]
    assert metadata["image/png"]["alt"].startswith("Your run")
    assert "rank 0  rank 1" not in capsys.readouterr().out


# ---- the terminal --------------------------------------------------------------------------------------------------


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
