"""Makefile and .ci/run on a machine made of stand-ins: what they run, what they say when something is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RECORD = '#!/bin/sh\necho "$0 $*" >> "{log}"\n'


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(command, cwd, path=None, **extra) -> subprocess.CompletedProcess:
    env = {"PATH": path or os.environ["PATH"], "HOME": str(cwd), **extra}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def house(tmp_path, repo_root):
    """The Makefile beside a stand-in environment whose python only writes down how it was called."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(repo_root / name, tmp_path)
    for name in ("python", "pslab", "jupyter"):
        script(tmp_path / ".venv" / "bin" / name, RECORD.format(log=tmp_path / "log"))
    return tmp_path


def calls(house: Path) -> list[str]:
    log = house / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line.split("/bin/")[-1] for line in lines]


INSTALL = "python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[dev]"


def test_the_second_call_installs_nothing_until_a_version_changes(house):
    assert run(["make", "demo"], house).returncode == 0
    assert calls(house) == ["python -m pip --version", INSTALL, "pslab demo"]
    assert run(["make", "demo"], house).returncode == 0
    assert calls(house) == ["pslab demo"]
    for changed in ("pyproject.toml", "constraints.txt"):
        stamp = (house / ".venv" / ".installed").stat().st_mtime
        os.utime(house / changed, (stamp + 10, stamp + 10))
        assert run(["make", "demo"], house).returncode == 0
        assert INSTALL in calls(house)
        os.utime(house / changed, (stamp - 10, stamp - 10))


def test_an_install_that_failed_is_tried_again(house):
    broken = '#!/bin/sh\ncase "$*" in *install*) exit 1;; esac\n'
    script(house / ".venv" / "bin" / "python", broken)
    assert run(["make", "setup"], house).returncode != 0
    assert not (house / ".venv" / ".installed").exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("test", "python tests/run_all.py "),
        ("test-long", "python tests/run_all.py --long "),
        ("lint", "python tests/run_all.py --stage lint "),
        ("notebooks", "python -m pslab.notebooks build "),
        ("site", "python docs/site/build.py "),
        ("demo", "pslab demo "),
    ],
)
def test_each_target_calls_one_thing(house, target, expected):
    run(["make", "setup"], house)
    calls(house)
    assert run(["make", target, "ARGS=--seed 3"], house).returncode == 0
    assert calls(house) == [f"{expected}--seed 3"]


def test_make_lab_opens_the_front_page(house, repo_root):
    run(["make", "setup"], house)
    calls(house)
    assert run(["make", "lab"], house).returncode == 0
    (call,) = calls(house)
    assert call.startswith("jupyter lab ")
    assert call.split()[-1] == "chapters/00_start_here.ipynb"
    assert ("--allow-root" in call) == (os.getuid() == 0)
    assert (repo_root / "chapters" / "src" / "00_start_here.py").exists()


def test_an_old_python_is_named(house):
    old = script(house / "python3.9", '#!/bin/sh\ncase "$*" in *platform*) echo 3.9.18;; *) exit 1;; esac\n')
    done = run(["make", "demo", f"PYTHON={old}"], house)
    assert done.returncode != 0
    assert "pslab needs Python 3.11 or newer" in done.stderr
    assert "3.9.18" in done.stderr
    assert calls(house) == []


def test_no_python_is_named(house):
    done = run(["make", "demo", "PYTHON=nosuchpython"], house)
    assert done.returncode != 0
    assert "no program 'nosuchpython'" in done.stderr


def test_make_alone_says_what_there_is(house):
    said = run(["make"], house).stdout
    targets = ("demo", "test", "test-long", "lab", "notebooks", "site", "lint")
    assert all(f"make {target} " in said for target in targets)
    assert calls(house) == []


# ---- .ci/run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path, repo_root):
    """A checkout with .ci/run, and a PATH on which make is a stand-in and there is no chromium."""
    checkout = tmp_path / "checkout"
    script(checkout / ".ci" / "run", (repo_root / ".ci" / "run").read_text())
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("bash", "sh", "dirname", "id", "env"):
        (path / tool).symlink_to(shutil.which(tool))
    script(path / "python3", "#!/bin/sh\nexit 0\n")
    script(path / "make", '#!/bin/sh\necho "make $* PSLAB_DATA=$PSLAB_DATA"\n')
    script(path / "sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    return checkout, path


def ci(machine, **extra):
    checkout, path = machine
    return run([str(checkout / ".ci" / "run")], checkout.parent, path=str(path), **extra)


def test_ci_is_make_test_with_the_real_data(machine):
    checkout, path = machine
    script(path / "chromium", "#!/bin/sh\n")
    assert ci(machine).stdout == "make test PSLAB_DATA=\n"
    data = checkout.parent / "shared" / "data"
    data.mkdir(parents=True)
    done = ci(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"make test PSLAB_DATA={data}\n", "")


def test_ci_installs_chromium_only_when_it_is_missing(machine):
    _, path = machine
    script(path / "apt-get", f'#!/bin/sh\necho "$*" >> {path}/apt.log\n')
    assert ci(machine).returncode == 0
    assert "chromium" in (path / "apt.log").read_text()
    (path / "apt.log").unlink()
    script(path / "chromium", "#!/bin/sh\n")
    assert ci(machine).returncode == 0
    assert not (path / "apt.log").exists()


def test_ci_without_chromium_still_tests_and_says_so(machine):
    _, path = machine
    script(path / "apt-get", "#!/bin/sh\nexit 100\n")
    done = ci(machine)
    assert done.returncode == 0
    assert done.stdout == "make test PSLAB_DATA=\n"
    assert "apt-get could not install chromium" in done.stderr
    assert "the browser test will be skipped" in done.stderr


def test_ci_without_make_stops_with_a_reason(machine):
    _, path = machine
    (path / "make").unlink()
    done = ci(machine)
    assert done.returncode == 1
    assert "no apt-get here: cannot install make" in done.stderr
    assert "the tests cannot run without: make" in done.stderr


def test_ci_is_executable_and_passes_a_failure_on(machine, repo_root):
    assert os.access(repo_root / ".ci" / "run", os.X_OK)
    _, path = machine
    script(path / "chromium", "#!/bin/sh\n")
    script(path / "make", "#!/bin/sh\nexit 2\n")
    assert ci(machine).returncode == 2
