"""tests/run_all.py: each way a stage can go wrong reaches the last line and the exit status."""

import sys

import pytest
import run_all
from run_all import Stage


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An empty repository in which stages run, with settings of its own."""
    monkeypatch.setattr(run_all, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # starts in a tenth of the time
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def pytest_stage(path, limit_s=60.0):
    return Stage("unit", ((sys.executable, "-m", "pytest", "-q", str(path)),), limit_s, True)


def last_line(outcome, capsys):
    status = run_all.summarise({"unit": (outcome, 1.0)}, 1.0)
    said = capsys.readouterr().out
    return status, said.strip().splitlines()[-1].strip("= "), said


def test_passed_failed_skipped_and_errors_are_counted(house, capsys):
    (house / "test_a.py").write_text(
        "import pytest\n"
        "def test_one(): pass\n"
        "def test_two(): assert 1 == 2\n"
        "@pytest.mark.skip(reason='no browser: apt install chromium')\n"
        "def test_three(): pass\n"
        "def test_four(nosuch): pass\n"
    )
    status, line, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert status == 1
    assert line == "1 failed, 1 passed, 1 skipped, 1 errors in 1.00s"
    assert "Did not run:" in said
    assert "test_a.test_three: no browser: apt install chromium" in said


def test_all_well(house, capsys):
    (house / "test_a.py").write_text("def test_one(): pass\n")
    assert last_line(run_all.run_stage(pytest_stage(house)), capsys)[:2] == (0, "1 passed in 1.00s")


def test_no_test_at_all_is_a_failure(house, capsys):
    (house / "test_a.py").write_text("")
    status, line, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert (status, line) == (1, "1 errors in 1.00s")
    assert "no test ran" in said


def test_a_file_that_cannot_be_read_is_a_failure(house, capsys):
    (house / "test_a.py").write_text("def test_one(): pass\n")
    (house / "test_b.py").write_text("import nosuchmodule\n")
    assert last_line(run_all.run_stage(pytest_stage(house)), capsys)[0] == 1


def test_a_killed_test_process_is_a_failure(house, capsys):
    (house / "test_a.py").write_text("import os\ndef test_one(): pass\ndef test_two(): os._exit(0)\n")
    status, _, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert status == 1
    assert "wrote no report" in said


def test_a_stage_that_hangs_is_stopped_with_what_it_started(house, capsys):
    marker = house / "pid"
    code = (
        f"import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n\
open({str(marker)!r}, 'w').write(str(p.pid)); p.wait()"
    )
    outcome = run_all.run_stage(Stage("unit", ((sys.executable, "-c", code),), 2.0))
    status, _, said = last_line(outcome, capsys)
    assert status == 1
    assert "stopped after 2 s" in said
    import psutil

    child = int(marker.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_every_command_of_a_stage_runs_and_each_failure_is_named(house, capsys):
    fail = (sys.executable, "-c", "raise SystemExit(3)")
    fine = (sys.executable, "-c", "print('fine')")
    outcome = run_all.run_stage(Stage("lint", (fail, fine, fail), 60.0))
    status, line, said = last_line(outcome, capsys)
    assert (status, line) == (1, "1 passed, 2 errors in 1.00s")
    assert "exit status 3" in said


SOMETIMES = """
import pathlib
def test_good(): pass
def test_bad(): assert 1 == 2
def test_disturbed():
    count = pathlib.Path(__file__).with_name('count')
    count.write_text(count.read_text() + 'x' if count.exists() else 'x')
    assert len(count.read_text()) > 1
"""


def test_a_test_that_fails_is_run_once_more_alone(house, capsys):
    (house / "test_a.py").write_text(SOMETIMES.replace("1 == 2", "1 == 1"))
    status, line, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert (status, line) == (0, "3 passed in 1.00s")
    assert "Failed beside other tests, passed alone:\n  test_a.test_disturbed\n" in said
    assert (house / "count").read_text() == "xx"


def test_what_fails_alone_too_has_failed(house, capsys):
    (house / "test_a.py").write_text(SOMETIMES)
    status, line, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert (status, line) == (1, "1 failed, 2 passed in 1.00s")
    assert "passed alone:\n  test_a.test_disturbed\n" in said


def test_many_failures_are_no_accident(house, capsys):
    tests = "".join(f"def test_{i}(): assert pathlib.Path(__file__ + '{i}').exists() or "
                    f"pathlib.Path(__file__ + '{i}').touch()\n" for i in range(run_all.SECOND_CHANCES + 1))
    (house / "test_a.py").write_text("import pathlib\n" + tests)
    status, line, said = last_line(run_all.run_stage(pytest_stage(house)), capsys)
    assert (status, line) == (1, f"{run_all.SECOND_CHANCES + 1} failed in 1.00s")
    assert "again" not in said


def test_of_a_notebook_all_cells_are_run_again():
    command = ("python", "-m", "pytest", "--nbval", "-n2", "--dist", "loadfile", "a.ipynb", "b.ipynb")
    outcome = run_all.Outcome(bad_tests={"b.Cell 3": "b.ipynb", "b.Cell 4": "b.ipynb"})
    assert run_all.alone(command, outcome) == ["python", "-m", "pytest", "--nbval", "b.ipynb"]


def test_the_stages_cover_what_make_test_promises():
    said = {
        stage.name: " ".join(part for command in stage.commands for part in command) for stage in run_all.stages(False)
    }
    assert list(said) == ["lint", "notebooks", "unit", "serial", "browser", "nbval"]
    assert all(tool in said["lint"] for tool in ("ruff", "lint-imports", "codespell"))
    assert "not serial and not long" in said["unit"]
    assert "serial and not long" in said["serial"]
    assert "no:xdist" in said["serial"]
    assert "--ignore=tests/browser" in said["serial"]
    assert "tests/browser" in said["browser"]
    assert all(o in said["nbval"] for o in ("--nbval-cell-timeout=60", "--dist loadfile", "tests/nbval_sanitize.cfg"))
    assert [stage.name for stage in run_all.stages(True)] == ["long"]


def test_an_unknown_stage_is_refused(capsys):
    with pytest.raises(SystemExit):
        run_all.main(["--stage", "nosuch"])
    said = capsys.readouterr().err
    assert "--stage is 'nosuch'; it must be one of lint, notebooks, unit, serial, browser, nbval" in said
