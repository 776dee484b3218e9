"""`import pslab` is cheap, starts nothing, and opens a room only when it is touched."""

import subprocess
import sys

import pytest

import pslab


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_brings_in_neither_torch_nor_numpy_nor_a_room():
    heavy = python(
        "import sys, pslab; print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "('torch', 'numpy', 'matplotlib', 'msgpack', 'cloudpickle') or m.startswith('pslab.')))"
    )
    assert heavy == "[]"


def test_import_starts_no_thread_no_process_and_opens_nothing():
    said = python(
        "import os, threading\n"
        "def opened(): return sorted(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else []\n"
        "before = opened()\n"
        "import pslab\n"
        "tasks = f'/proc/self/task/{os.getpid()}/children'\n"
        "children = open(tasks).read() if os.path.exists(tasks) else ''\n"
        "print(threading.active_count(), children.split(), opened() == before)"
    )
    assert said == "1 [] True"


def test_a_room_opens_when_it_is_touched():
    said = python(
        "import sys, pslab\n"
        "assert 'pslab.cost' not in sys.modules\n"
        "room = pslab.cost\n"
        "assert room is sys.modules['pslab.cost'] is pslab.cost\n"
        "print(room.__name__)"
    )
    assert said == "pslab.cost"


def test_every_promised_room_is_listed():
    promised = {"collectives", "comm", "cost", "data", "embedding", "examples", "models", "ps", "train", "viz"}
    assert promised <= set(dir(pslab))
    assert promised | {"__version__"} == set(pslab.__all__)


def test_an_unknown_name_is_an_attribute_error_that_lists_the_rooms():
    with pytest.raises(AttributeError, match=r"no attribute 'comms'; its rooms are collectives, comm"):
        _ = pslab.comms
    assert not hasattr(pslab, "nosuch")


def test_the_version_is_the_one_that_was_installed(repo_root):
    from importlib.metadata import version

    assert version("pslab") == pslab.__version__
    assert f"version: {pslab.__version__}" in (repo_root / "CITATION.cff").read_text()
    assert f"## {pslab.__version__}" in (repo_root / "CHANGELOG.md").read_text()
