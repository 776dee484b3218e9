"""pslab doctor: every probe says ok on a good machine, and names the fault and what to do on a poorer one."""

import errno
import os
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import pytest

from pslab.doctor import installed, machine, probes, tried
from pslab.doctor.course import mended
from pslab.doctor.finding import Finding, Report, ask

ASKED = ["numpy>=1.26,<3", "torch>=2.6,<3", 'jupyterlab>=4.2,<5; extra == "notebooks"',
         'pslab[notebooks]; extra == "dev"', 'pytest>=8.2,<10; extra == "dev"']  # fmt: skip
HERE = {"pslab": "0.1.0", "numpy": "2.4.6", "torch": "2.13.0+cpu", "jupyterlab": "4.6.6", "pytest": "9.2.0"}


def look(here=HERE, python=(3, 11, 7), asked=ASKED):
    def version_of(name):
        if name not in here:
            raise metadata.PackageNotFoundError(name)
        return here[name]

    return {finding.name: finding for finding in installed.installed(asked, version_of, python)}


def without(name, **changed):
    return {**{key: value for key, value in HERE.items() if key != name}, **changed}


# ---- what is installed ---------------------------------------------------------------------------------


def test_a_good_installation_is_all_ok():
    found = look()
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "torch 2.13.0+cpu" in found["packages"].said
    assert {"for chapters and labs in JupyterLab", "for `make test`"} <= set(found)


@pytest.mark.parametrize(
    ("here", "name", "state", "said", "needed"),
    [
        (without("torch"), "torch", "missing", "torch is not installed", True),
        (without("torch", torch="2.5.1"), "torch", "broken", "torch 2.5.1 is here, >=2.6,<3 is needed", True),
        (without("torch", torch="3.0"), "torch", "broken", "torch 3.0 is here", True),
        (without("jupyterlab"), "for chapters and labs in JupyterLab", "missing", "jupyterlab is not installed", False),
        (without("pytest", pytest="10.0"), "for `make test`", "missing", "pytest 10.0 is here, >=8.2,<10", False),
        (without("pslab"), "pslab", "missing", "not installed in this Python", True),
    ],
)
def test_a_missing_or_wrong_package_is_named(here, name, state, said, needed):
    finding = look(here)[name]
    assert (finding.state, finding.needed) == (state, needed)
    assert said in finding.said
    assert "pip install" in finding.todo or "make setup" in finding.todo


def test_an_extra_that_setup_does_not_bring_is_not_said_to_come_with_it():
    found = look(asked=[*ASKED, 'other>=1; extra == "apart"'])["for what the extra 'apart' brings"]
    assert found.state == "missing"
    assert "make setup" not in found.todo
    assert "pip install -c constraints.txt -e '.[apart]'" in found.todo
    assert "make setup" in look(without("jupyterlab"))["for chapters and labs in JupyterLab"].todo


def test_an_edge_of_a_range_belongs_where_it_says():
    assert look(without("torch", torch="2.6"))["packages"].state == "ok"
    assert look(without("numpy", numpy="3"))["numpy"].state == "broken"


def test_an_old_python_is_refused():
    found = look(python=(3, 10, 14))["Python"]
    assert (found.state, found.needed) == ("broken", True)
    assert "3.11 or newer" in found.said


def test_what_is_asked_for_is_what_the_checkout_asks_for(tmp_path, repo_root):
    lines = installed.asked_for(repo_root)
    assert any(line.startswith("torch>=") for line in lines)
    assert any(line.startswith("sphinx") and 'extra == "site"' in line for line in lines)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["nosuch>=1,<2"]\n')
    assert installed.asked_for(tmp_path) == ["nosuch>=1,<2"]
    (tmp_path / "pyproject.toml").unlink()
    assert any(line.startswith("torch") for line in installed.asked_for(tmp_path))  # as installed


# ---- the machine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "release", "state", "said"),
    [
        ("linux", "6.1.0-18-amd64", "ok", "Linux 6.1.0"),
        ("linux", "5.15.153.1-microsoft-standard-WSL2", "note", "WSL 2"),
        ("darwin", "23.0", "note", "sockets"),
        ("win32", "10", "broken", "cannot be started"),
    ],
)
def test_systems(name, release, state, said):
    found = machine.system(name, release)
    assert found.state == state
    assert said in found.said
    assert found.todo or state == "ok"


def test_one_core_is_a_note_and_two_are_enough():
    assert machine.cores(1).state == "note"
    assert "take turns" in machine.cores(1).said
    assert [machine.cores(n).state for n in (2, 64)] == ["ok", "ok"]
    assert machine.cores().value["cores"] >= 1


@pytest.mark.parametrize(("free", "state"), [(1 << 28, "broken"), (1 << 30, "note"), (1 << 33, "ok"), (None, "note")])
def test_memory(free, state):
    found = machine.memory(lambda: free)
    assert found.state == state
    assert found.needed or free is None
    assert machine.memory().value["free_bytes"] > 0


def test_a_small_dev_shm_is_a_note_with_what_needs_it():
    def of(blocks):
        return lambda path: types.SimpleNamespace(f_frsize=4096, f_blocks=blocks)

    small = machine.shm(of(16384))  # 64 MiB, Docker's own size
    assert small.state == "note"
    assert "64 MiB" in small.said
    assert "--shm-size" in small.todo
    assert machine.shm(of(1 << 20)).state == "ok"

    def none(path):
        raise FileNotFoundError(path)

    assert machine.shm(none).state == "note"


def test_memory_without_a_name_is_really_made():
    assert machine.nameless_memory().state == "ok"

    def refused(label):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    found = machine.nameless_memory(refused)
    assert found.state == "broken"
    assert 'transport="tcp"' in found.todo
    opened = []

    def full(label):
        opened.append(os.open("/dev/full", os.O_WRONLY))  # it can be opened; neither sized nor written
        return opened[-1]

    assert machine.nameless_memory(full).state == "broken"
    with pytest.raises(OSError):
        os.fstat(opened[0])  # closed again


def test_a_folder_that_cannot_be_written_is_broken(tmp_path):
    (tmp_path / "file").write_text("")
    found = machine.folder("cache folder", tmp_path / "file" / "cache")  # a folder inside a file: for root as well
    assert found.state == "broken"
    assert "PSLAB_CACHE" in found.todo
    fine = machine.folder("cache folder", tmp_path / "new" / "cache")
    assert fine.state == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing is left behind
    full = machine.folder("cache folder", tmp_path, lambda path: types.SimpleNamespace(free=1 << 20))
    assert full.state == "note"
    assert "1 MiB" in full.said


def test_few_open_files_are_a_note():
    assert machine.open_files(64).state == "note"
    assert machine.open_files(1024).state == "ok"
    assert machine.open_files(-1).state == "ok"  # no limit
    assert machine.open_files().value["limit"] != 0


def test_no_chromium_is_no_obstacle():
    found = machine.browser(lambda name: None)
    assert (found.state, found.needed) == ("missing", False)
    assert "any browser" in found.todo
    chrome = machine.browser(lambda name: f"/bin/{name}" if name == "google-chrome" else None)
    assert chrome.said == "/bin/google-chrome"


def answer(code=0, out=""):
    return lambda command, **settings: subprocess.CompletedProcess(command, code, out, "")


def test_gpus_are_counted_and_none_is_fine():
    assert machine.gpu(lambda name: None).state == "ok"
    assert "without one" in machine.gpu(lambda name: None).said
    two = machine.gpu(lambda name: "/bin/x", answer(out="NVIDIA A\nNVIDIA B\n"))
    assert two.value == {"gpus": 2}
    assert machine.gpu(lambda name: "/bin/x", answer(9)).state == "note"

    def silent(command, **settings):
        raise subprocess.TimeoutExpired(command, 20)

    assert machine.gpu(lambda name: "/bin/x", silent).state == "note"


@pytest.mark.parametrize(
    ("state", "expected", "said"),
    [("present", "ok", "here"), ("absent", "missing", "click log"), ("incomplete", "missing", "without u.item")],
)
def test_data(state, expected, said):
    entry = {"name": "movielens-100k", "state": state, "place": "here", "note": "without u.item"}
    synthetic = {"name": "synthetic", "state": "built in", "place": "-", "note": ""}
    found = machine.data(lambda: [synthetic, entry])
    assert (found.state, found.needed) == (expected, False)
    assert said in found.said


def test_without_a_checkout_there_are_no_notebooks(tmp_path, repo_root):
    assert machine.checkout(repo_root).state == "ok"
    assert machine.checkout(tmp_path).state == "missing"


# ---- what is tried, with worlds that fail --------------------------------------------------------------


class World:
    """A world whose run gives these results, or raises."""

    def __init__(self, *results, error=None):
        self.results, self.error = list(results), error

    def run(self, program, *args, **limits):
        if self.error:
            raise self.error
        messages = types.SimpleNamespace(messages=lambda: 3)
        return types.SimpleNamespace(results=self.results, ledger=messages)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_simulator_that_adds_wrongly_is_broken():
    assert tried.simulated().state == "ok"
    found = tried.simulated(World(*[92.0] * 7, 91.0))
    assert found.state == "broken"
    assert "91" in found.said
    assert found.needed


def test_two_processes_that_add_wrongly_or_die_are_broken():
    assert tried.expected(2) == 4 + 1  # element 1 of rank r is 2 + r
    found = tried.processes(lambda: World(5.0, 6.0))
    assert (found.state, found.needed) == ("broken", True)
    died = ask("tried", "two processes", lambda: tried.processes(lambda: World(error=OSError("no pipes left"))), True)
    assert (died.state, died.needed) == ("broken", True)
    assert "no pipes left" in died.said


def test_a_torch_that_cannot_be_imported_or_adds_wrongly_is_broken(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "arange", lambda *_: torch.ones(4))
    assert "does not get 6" in tried.torch_works().said
    monkeypatch.setitem(sys.modules, "torch", None)
    found = ask("tried", "torch", tried.torch_works, True)
    assert (found.state, found.needed) == ("broken", True)


def test_slow_processes_are_a_note(monkeypatch):
    monkeypatch.setattr(tried, "SLOW_CALL_S", -1.0)
    assert tried.processes(lambda: World(5.0, 5.0)).state == "note"


def test_gloo_that_adds_wrongly_is_broken_and_not_needed():
    found = tried.gloo(lambda: World(5.0, 4.0))
    assert (found.state, found.needed) == ("broken", False)


def test_torchrun_that_fails_hangs_or_says_too_little_is_broken():
    assert tried.torchrun(answer(out="sum=1;sum=1;\n")).state == "ok"
    assert tried.torchrun(answer(out="sum=1;\n")).state == "broken"
    assert "exit code 3" in tried.torchrun(answer(3)).said

    def hangs(command, timeout, **settings):
        raise subprocess.TimeoutExpired(command, timeout)

    found = tried.torchrun(hangs, limit_s=7.0)
    assert found.state == "broken"
    assert "in 7 s" in found.said
    assert "GLOO_SOCKET_IFNAME" in found.todo


def test_a_kernel_without_pslab_is_broken():
    class Client:
        def execute_interactive(self, code, output_hook, **settings):
            output_hook({"content": {"text": "2 0.0.7\n"}})

        def stop_channels(self):
            self.stopped = True

    class Manager:
        def shutdown_kernel(self, now):
            self.down = now

    manager, client = Manager(), Client()
    found = tried.kernel(lambda **settings: (manager, client))
    assert found.state == "broken"
    assert "make lab" in found.todo
    assert manager.down
    assert client.stopped


# ---- from findings to the course -----------------------------------------------------------------------

NAMES = {
    "installed": ("Python", "pslab", "for chapters and labs in JupyterLab", "for `make test`",
                  "for `make site`, the web pages"),
    "machine": ("system", "memory", "notebooks", "MovieLens-100K", "chromium"),
    "tried": ("torch", "simulated world", "two processes", "Gloo", "torchrun", "notebook kernel"),
}  # fmt: skip


def findings(**bad):
    """All findings ok but those named."""
    return tuple(
        Finding(part, name, bad.get(name, "ok"), "as it is", "mend it")
        for part, names in NAMES.items()
        for name in names
    )


def runs(report):
    return {ability.name.split(" (")[0]: ability.runs for ability in report.abilities}


def test_on_a_good_machine_everything_runs():
    assert set(runs(mended(findings())).values()) == {"yes"}


@pytest.mark.parametrize(
    ("bad", "what", "expected"),
    [
        ("two processes", "programs in real processes", "no"),
        ("two processes", "programs in the simulated world", "yes"),
        ("MovieLens-100K", "`pslab demo`", "partly"),
        ("chromium", "`make test`", "partly"),
        ("notebook kernel", "chapters and labs in JupyterLab", "no"),
        ("for `make site`, the web pages", "`make site`", "no"),
        ("torchrun", "programs under torchrun", "no"),
        ("torchrun", "chapters and labs in JupyterLab", "yes"),
        ("Gloo", "torch.distributed beside the kit", "no"),
        ("torch", "programs in the simulated world", "no"),
    ],
)
def test_a_fault_takes_away_what_hangs_on_it_and_no_more(bad, what, expected):
    assert runs(mended(findings(**{bad: "missing"})))[what] == expected


def test_what_was_left_out_is_not_called_fine():
    kept = tuple(finding for finding in findings() if finding.name != "torchrun")
    assert runs(mended(kept))["programs under torchrun"] == "not tried"


def test_only_a_needed_finding_stands_in_the_way():
    needed = Finding("machine", "system", "broken", "said", "mend it", True)
    wanted = Finding("machine", "chromium", "missing", "said", "mend it")
    assert Report((wanted,)).can_run
    assert Report((wanted, needed)).in_the_way == (needed,)


def test_a_finding_must_say_what_to_do_and_know_its_state():
    with pytest.raises(ValueError, match="nothing to do"):
        Finding("machine", "x", "missing", "said")
    with pytest.raises(ValueError, match="state='fine'"):
        Finding("machine", "x", "fine", "said")


def test_a_probe_that_fails_is_a_finding():
    def fails():
        raise RuntimeError("deep inside\nsecond line")

    found = ask("machine", "x", fails)
    assert (found.state, found.needed) == ("broken", False)
    assert "RuntimeError: deep inside" in found.said
    assert "second" not in found.said


def test_nothing_is_tried_where_a_package_is_missing(monkeypatch):
    broken = Finding("installed", "torch", "missing", "torch is not installed", "make setup", True)
    monkeypatch.setattr(probes.installed, "installed", lambda: [broken])
    monkeypatch.setattr(probes.tried, "torch_works", lambda: pytest.fail("tried without torch"))
    heard = []
    report = probes.examine(told=heard.append)
    assert heard == list(report.findings)
    assert not report.can_run
    assert {ability.runs for ability in report.abilities} == {"no"}
    assert isinstance(probes.ROOT, Path)
