"""Limits, and the end: whatever a box started is gone when it closes, and when its grader is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from grade_box_watch import own_zygote

from pslab.grade import box, box_rooms, box_signs, box_walls, failures, keeper, sandbox
from pslab.grade.box import Box, Limits, Source

KIT = Path(__file__).resolve().parent.parent
DOUBLE_FORK = """
import os, time
def f():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        os.write(write, str(pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(read, 20))
def bomb():
    while True:
        os.fork()
def by_hand():
    import _posixsubprocess as p
    p.fork_exec([b"sleep", b"60"], (b"/bin/sleep",), True, (), None, None, -1, -1, -1, -1, -1, -1, *os.pipe(), False,
                True, 0, None, None, None, -1, None, False)
    time.sleep(5)
def spin():
    while True: pass
def nap(s): time.sleep(s)
def fine(): return 7
"""


@pytest.fixture(scope="module")
def left():
    with own_zygote() as nothing_left:
        yield nothing_left


def gone(pid: int, within_s: float = 5.0) -> bool:
    until_s = time.monotonic() + within_s
    while psutil.pid_exists(pid):
        if time.monotonic() > until_s:
            return False
        time.sleep(0.01)
    return True


def test_a_process_that_forked_twice_is_found(left):
    with Box(Source.of_text(DOUBLE_FORK), Limits(processes=2)) as answers:
        grandchild = answers.call("f")
        assert psutil.pid_exists(grandchild)
    assert not psutil.pid_exists(grandchild)
    left()


def test_a_fork_bomb_is_put_out(left):
    with Box(Source.of_text(DOUBLE_FORK), Limits(processes=4)) as answers:
        with pytest.raises(failures.Forbidden, match=r"started \d+ processes; allowed are 4"):
            answers.call("bomb")
        assert answers.call("fine") == 7
    left()


def test_a_process_that_the_guard_does_not_see_is_counted(left):
    with Box(Source.of_text(DOUBLE_FORK)) as answers:
        with pytest.raises(failures.Forbidden, match="started 1 processes; allowed are 0"):
            answers.call("by_hand")
    left()


def test_time_of_the_processor_and_of_the_clock_are_limited(left):
    with Box(Source.of_text(DOUBLE_FORK), Limits(cpu_s=1)) as answers:
        with pytest.raises(failures.TimedOut, match="more than 1 s of processor time"):
            answers.call("spin")
    with Box(Source.of_text(DOUBLE_FORK), Limits(wall_s=0.5)) as answers:
        with pytest.raises(failures.TimedOut):
            answers.call("nap", 5)
        with pytest.raises(failures.TimedOut, match=r"more than its 0\.5 s in all"):
            answers.call("fine")
    left()


def test_a_function_that_hangs_costs_its_deadline_once(left, monkeypatch):
    monkeypatch.setattr(box, "AFTER_LATE_S", 0.2)
    with Box(Source.of_text(DOUBLE_FORK)) as answers:
        with pytest.raises(failures.TimedOut, match=r"within 0\.5 s"):
            answers.call("spin", timeout_s=0.5)
        with pytest.raises(failures.TimedOut, match=r"within 0\.2 s"):
            answers.call("spin", timeout_s=30)
        answers.call("nap", 0.4, timeout_s=30)                        # others keep theirs
    left()


def test_the_walls_hold_where_python_is_bypassed(left):
    """torch opens the file itself, so that no hook sees it."""
    read = f"import torch\ndef f(): return torch.from_file({str(KIT / 'pslab/exercises/__init__.py')!r}, size=9, " \
           "dtype=torch.uint8)"
    if box_walls.landlock_abi() == 0:
        pytest.skip("this kernel has no Landlock (Linux 5.13 or newer has)")
    with Box(Source.of_text(read)) as answers:
        with pytest.raises(failures.Raised, match="Permission denied"):
            answers.call("f")
    harmless = read.replace("pslab/exercises/__init__.py", "pyproject.toml")
    with Box(Source.of_text(harmless)) as answers:
        assert bytes(answers.call("f").tolist()) == b"[build-sy"


def test_memory_of_all_ranks_counts(left):
    hog = "import torch\ndef f(comm):\n    x = [torch.ones(2**20) for _ in range(40)]\n    comm.recv(1 - comm.rank)"
    with Box(Source.of_text(hog), Limits(memory_bytes=256 << 20)) as answers:
        with pytest.raises(failures.OutOfMemory, match="allowed are 256 MiB"):
            answers.run("f", 2, world="process", timeout_s=5)         # 160 MiB each
    left()


def test_a_zygote_that_was_killed_is_replaced(left):
    with Box(Source.of_text(DOUBLE_FORK)) as answers:
        assert answers.call("fine") == 7
        zygote = sandbox.running().process
        zygote.kill()
        zygote.wait()
        assert answers.call("fine") == 7                              # the box has a keeper of its own
    with Box(Source.of_text(DOUBLE_FORK)) as answers:
        assert answers.call("fine") == 7
    assert sandbox.running().process.pid != zygote.pid
    left()


@pytest.mark.long
def test_an_ordinary_users_box_and_its_end_by_sigkill():
    """The same verdicts without root; and nothing is left when the grader is killed in the middle of a question."""
    folder = tempfile.mkdtemp(prefix="pslab-user-")
    os.chmod(folder, 0o777)
    script = Path(__file__).with_name("grade_box_user.py")
    grader = subprocess.Popen([sys.executable, str(script), folder], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(KIT)})
    try:
        told = json.loads(grader.stdout.readline())
        assert told["who"] == told["uid"] != 0
        assert told["forks"] == ["Forbidden", "your code started another process (os.fork)"]
        assert told["reads"][0] == "Forbidden"
        assert told["writes"] == ["Forbidden", "your code wrote to /tmp/pslab-user, outside its folder"]
        assert told["loops"][0] == "TimedOut"
        assert told["hides"] == ["Forbidden", "your code started 1 processes; allowed are 0"]
        assert told["left"] == []
        assert json.loads(grader.stdout.readline()) == "hanging"
        family = []
        until_s = time.monotonic() + 10
        while len(family) < 5 and time.monotonic() < until_s:         # zygote, keeper, student's process, two forks
            family = psutil.Process(grader.pid).children(recursive=True)
        pids = [process.pid for process in family]
        assert told["zygote"] in pids
        os.kill(grader.pid, signal.SIGKILL)
        grader.wait()
        assert all(gone(pid) for pid in pids)
        assert os.listdir(os.path.join(folder, "boxes")) == []
    finally:
        grader.kill()
        grader.wait()
        grader.stdout.close()
        shutil.rmtree(folder)


def test_an_answer_may_not_be_larger_than_its_limit(left):
    with Box(Source.of_text("def f(n): return 'x' * n"), Limits(reply_bytes=10_000)) as answers:
        assert len(answers.call("f", 5_000)) == 5_000
        with pytest.raises(failures.BadValue, match=r"returned 50,\d\d\d bytes; at most 10,000"):
            answers.call("f", 50_000)
    left()


# ---- parts ----------------------------------------------------------------------------------------------------------


def test_what_may_be_read_is_all_but_the_secrets(tmp_path):
    for name in ("a/secret", "a/open", "b"):
        (tmp_path / name).mkdir(parents=True)
    rules = dict(box_walls.readable([str(tmp_path / "a/secret"), str(tmp_path / "b")]))
    listing = box_walls._LIST
    assert rules[str(tmp_path / "a/open")] == box_walls._READING
    assert rules[str(tmp_path)] == rules[str(tmp_path / "a")] == listing
    assert not {str(tmp_path / "a/secret"), str(tmp_path / "b")} & set(rules)
    assert rules["/usr"] == box_walls._READING


def test_folders_that_only_root_may_enter_are_known():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, mode in (("shut", 0o700), ("shut/python", 0o755), ("free", 0o755)):
            os.mkdir(os.path.join(folder, name), mode)
        python, free = os.path.join(folder, "shut/python"), os.path.join(folder, "free")
        assert box_rooms.closed_folders([python, free]) == {os.path.join(folder, "shut"): [python]}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a box a user of its own, whose leftovers can be told")
def test_leftovers_of_a_boxs_user_are_swept(tmp_path):
    uid, made = 60_001, []
    for folder, owner in (("/dev/shm", uid), ("/tmp", uid), ("/tmp", os.getuid())):
        descriptor, path = tempfile.mkstemp(dir=folder, prefix="pslab-sweep-")
        os.close(descriptor)
        os.chown(path, owner, owner)
        made.append(path)
    made.append(tempfile.mkdtemp(dir="/tmp", prefix="pslab-sweep-"))
    Path(made[-1], "inside").touch()
    os.chown(made[-1], uid, uid)
    keeper._sweep(uid)
    assert [os.path.exists(path) for path in made] == [False, False, True, False]
    os.unlink(made[2])


def test_the_line_in_a_dump_is_the_students_and_the_one_that_runs():
    dump = """Current thread 0x1 (most recent call first):
  File "/lib/threading.py", line 9 in wait
  File "/kit/kernel.py", line 5 in park
  File "cell 4", line 7 in helper

Thread 0x2 (most recent call first):
  File "the cell of 9.3", line 3 in combine
  File "/kit/kernel.py", line 8 in run
"""
    assert box_signs.last_line(dump) == "the cell of 9.3, line 3 in combine"
    assert box_signs.last_line('  File "/tmp/ipykernel_7/12.py", line 2 in f') == "your cell, line 2 in f"
    assert box_signs.last_line("nothing") == ""
