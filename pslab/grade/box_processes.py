"""A process's descendants on Linux: who they are, what they use, and their end.

A double fork changes a process's parent to the nearest ancestor that adopts orphans; keeper and zygote do, so that
nothing that a box started can leave its tree. Elsewhere than on Linux only the session is known.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

LINUX = sys.platform == "linux"
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NO_NEW_PRIVS, _SET_SUBREAPER = 1, 4, 38, 36
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def adopt_orphans() -> None:
    if LINUX:
        _libc.prctl(_SET_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    if LINUX:
        _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def gain_nothing() -> None:
    """No set-uid program gives rights; and /proc/self stays this process's own after a change of user."""
    if LINUX:
        _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return found                                      # it ended while we looked
    return found


def descendants(pid: int) -> list[int]:
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def resident_bytes(pid: int) -> int:
    """Anonymous and shared memory of one process; pages of files on disk do not count."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            rows = dict(line.split(b":", 1) for line in file if line.startswith((b"RssAnon", b"RssShmem")))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(value.split()[0]) for value in rows.values()) * 1024


def kill_tree(pid: int, itself: bool = False, deadline_s: float = 5.0) -> list[int]:
    """SIGKILL all descendants, again and again until none is left (a fork bomb makes new ones meanwhile), and reap
    those that are this process's own children. The pids that are still there after deadline_s."""
    until_s = time.monotonic() + deadline_s
    while True:
        left = descendants(pid) + ([pid] if itself else [])
        for victim in left:                               # stopped first: a stopped process forks no more
            _signal(victim, signal.SIGSTOP)
        for victim in left:
            _signal(victim, signal.SIGKILL)
        reap()
        left = descendants(pid) + ([pid] if itself and _there(pid) else [])
        if not left or time.monotonic() > until_s:
            return left
        time.sleep(0.001)


def reap() -> dict[int, int]:
    """{pid: wait status} of this process's own children that have ended."""
    ended = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _there(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")
