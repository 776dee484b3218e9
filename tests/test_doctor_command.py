"""`pslab doctor` as a person runs it: words, exit code, JSON."""

import json
import subprocess
import sys

import pytest

from pslab import cli, doctor
from pslab.doctor.finding import Finding, Report


def test_a_whole_run_on_this_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PSLAB_DATA", raising=False)
    file = tmp_path / "report.json"
    assert cli.main(["doctor", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    for words in ("Installed", "This machine", "Tried just now", "What of the course runs here",
                  "The course can run on this machine."):  # fmt: skip
        assert words in said
    assert max(map(len, said.splitlines())) <= 100 + len(str(tmp_path))
    report = json.loads(file.read_text())
    assert (report["schema"], report["can_run"]) == (1, True)
    found = {finding["name"]: finding for finding in report["findings"]}
    assert {"torch", "simulated world", "two processes", "Gloo", "torchrun", "notebook kernel"} <= set(found)
    assert [name for name, finding in found.items() if finding["part"] == "tried" and finding["state"] != "ok"] in (
        [], ["two processes"])  # a busy machine may be slow  # fmt: skip
    assert 0 < found["two processes"]["value"]["warm_call_s"] < found["two processes"]["value"]["first_call_s"]
    assert found["MovieLens-100K"]["state"] == "missing"
    assert {ability["runs"] for ability in report["course"]} <= {"yes", "partly"}
    assert str(tmp_path / "cache") in found["cache folder"]["said"]


@pytest.fixture
def examined(monkeypatch):
    """What doctor finds, made up; examined.quick is what it was asked."""

    class Asked:
        findings = ()
        quick = None

    def examine(quick, told):
        Asked.quick = quick
        for finding in Asked.findings:
            told(finding)
        return Report(tuple(Asked.findings))

    monkeypatch.setattr(doctor, "examine", examine)
    return Asked


def test_a_needed_fault_ends_in_exit_code_1_and_is_named_last(examined, capsys, tmp_path):
    examined.findings = [
        Finding("installed", "torch", "missing", "torch is not installed", "run `make setup`", True),
        Finding("machine", "chromium", "missing", "no Chromium", "apt install chromium"),
    ]
    file = tmp_path / "report.json"
    assert cli.main(["doctor", "--json", str(file)]) == 1
    said = capsys.readouterr().out
    assert "-> run `make setup`" in said
    assert said.strip().endswith("The course cannot run here yet. First mend: torch.")
    assert json.loads(file.read_text())["can_run"] is False


def test_what_is_only_wanted_leaves_the_exit_code_0(examined):
    examined.findings = [Finding("machine", "chromium", "missing", "no Chromium", "apt install chromium")]
    assert cli.main(["doctor"]) == 0
    assert examined.quick is False


def test_quick_reaches_the_probes_and_leaves_two_out(examined, monkeypatch):
    cli.main(["doctor", "--quick"])
    assert examined.quick is True
    from pslab.doctor import probes

    asked = []
    monkeypatch.setattr(probes, "ask", lambda part, name, probe, needed=False: asked.append(name) or Finding(
        part, name, "ok", "fine"))  # fmt: skip
    probes.examine(quick=True)
    assert "Gloo" in asked
    assert not {"torchrun", "notebook kernel"} & set(asked)
    asked.clear()
    probes.examine(quick=False)
    assert {"torchrun", "notebook kernel"} <= set(asked)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--stage"], "--stage needs --class"),
        (["--record", "x.ipynb"], "--record needs --class"),
        (["--class", "11.9", "--quick"], "--quick has no meaning with --class"),
        (["--class", "99.1"], "chapter '99.1' is not here; there are: 11.0, 11.0b, 11."),
        (["--clas", "11.9"], "does not know --clas"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(words, expected, capsys):
    assert cli.main(["doctor", *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told(examined, tmp_path, capsys):
    assert cli.main(["doctor", "--json", str(tmp_path / "no" / "folder.json")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_python_without_any_package_is_told_what_to_do(repo_root):
    """-S leaves out site-packages: nothing but Python itself and the course's folder."""
    code = f"import sys; sys.path.insert(0, {str(repo_root)!r}); from pslab.cli import main; sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert "pslab itself is not installed in this Python" in done.stdout
    assert "make setup" in done.stdout
    assert "Tried just now" not in done.stdout
    assert done.stdout.strip().endswith("First mend: pslab.")
