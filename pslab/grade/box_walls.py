"""The walls around a student's process: limits, user, folder, and what the kernel lets it open.

    rlimits     processor time, size of a file, address space, threads of its user, no core files
    user        as root: an id of its own, no groups
    landlock    (Linux 5.13 and newer) read everywhere but the course's secrets, write only in its folder

The guard (box_guard.py) stands before these walls and explains; the walls hold where Python is bypassed.

Memory is bounded twice. RLIMIT_AS refuses a single huge request at once, but torch reserves address space that it
never uses, so that it has to be generous; the keeper measures resident memory, which is what hurts the machine.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import struct
import sys
import tempfile
from pathlib import Path

from .box_processes import LINUX, die_with_parent, gain_nothing
from .box_rooms import make_enterable

OUTPUT_SLACK_BYTES = 64 * 1024              # what may stand behind the limit before the keeper ends the process
_THREADS = 512                              # a thread a rank, and what torch needs
_ADDRESS_SLACK = 6 << 30
clear_refs: int | None = None               # sets the high-water mark of memory back; opened before the walls
_PACKAGE = Path(__file__).resolve().parents[1]


def enter(limits: dict, hidden: list[str], folder: str, uid: int | None, out: int) -> None:
    """In the student's process, before any of their code."""
    global clear_refs
    os.setsid()
    _redirect(out)
    if os.path.exists("/proc/self/clear_refs"):
        clear_refs = os.open("/proc/self/clear_refs", os.O_WRONLY)
    _limit(limits, uid)
    os.environ.update(HOME=folder, TMPDIR=folder, MPLCONFIGDIR=folder, XDG_CACHE_HOME=folder, USER="student")
    tempfile.tempdir = None                 # the zygote's is outside the folder, and remembered
    if uid is not None:
        os.chown(folder, uid, uid)
        make_enterable(folder)
    gain_nothing()
    os.chdir(folder)
    if LINUX:
        _landlock([str(path) for path in secret_paths()] + hidden, folder)
    if uid is not None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        gain_nothing()
    die_with_parent()                       # after the change of user, which forgets it
    if uid is not None and os.geteuid() == 0:
        raise PermissionError("the student's process is still root")


def secret_paths() -> list[Path]:
    """What an answer may not read: the judges, the solutions, the answers kept for tests, and all of them in git."""
    root = _PACKAGE.parent
    return [_PACKAGE / "exercises", _PACKAGE / "grade", root / "solutions", root / "tests", root / ".git"]


def _redirect(out: int) -> None:
    os.set_inheritable(out, True)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(null)
    import fcntl
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "replace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "replace", line_buffering=True)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr


def _limit(limits: dict, uid: int | None) -> None:
    def bound(what: int, value: int, hard: int | None = None) -> None:
        ceiling = resource.getrlimit(what)[1]
        hard = value if hard is None else hard
        if ceiling != resource.RLIM_INFINITY:
            value, hard = min(value, ceiling), min(hard, ceiling)
        resource.setrlimit(what, (value, hard))

    cpu_s = max(int(limits["cpu_s"]), 1)
    bound(resource.RLIMIT_CPU, cpu_s, cpu_s + 2)
    bound(resource.RLIMIT_FSIZE, max(limits["file_bytes"], limits["output_bytes"] + OUTPUT_SLACK_BYTES))
    bound(resource.RLIMIT_CORE, 0)
    bound(resource.RLIMIT_NOFILE, 1024)
    if LINUX:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound(resource.RLIMIT_AS, pages * resource.getpagesize() + limits["memory_bytes"] + _ADDRESS_SLACK)
        # Counted by user: a user of one's own has nothing else running; any other has, so its number is left alone
        # and the keeper counts.
        if uid is not None:
            bound(resource.RLIMIT_NPROC, _THREADS + limits["processes"])


# ---- landlock ------------------------------------------------------------------------------------------------------

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1}            # 3 and newer: truncate as well
_ALL = (1 << 15) - 1
_READING = _EXECUTE | _READ | _LIST


def landlock_abi() -> int:
    """The kernel's version of landlock, 0 where it has none."""
    if not LINUX:
        return 0
    return max(ctypes.CDLL(None).syscall(_CREATE, None, 0, 1), 0)


def _landlock(secrets: list[str], folder: str) -> None:
    abi = landlock_abi()
    if abi == 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    handled = _BY_ABI.get(abi, _ALL)
    attr = struct.pack("<Q", handled)
    ruleset = libc.syscall(_CREATE, attr, len(attr), 0)
    if ruleset < 0:
        return

    def allow(path: str, access: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return                                        # not there, or not for us: nothing to allow
        if not os.path.isdir(path):
            access &= _EXECUTE | _READ | _WRITE | 1 << 14
        rule = struct.pack("<Qi", access & handled, descriptor)
        libc.syscall(_ADD, ruleset, 1, rule, 0)
        os.close(descriptor)

    for path, access in readable(secrets):
        allow(path, access)
    allow(folder, _ALL & ~_EXECUTE)
    for device in ("/dev/null", "/dev/zero"):
        allow(device, _READ | _WRITE)
    libc.syscall(_RESTRICT, ruleset, 0)
    os.close(ruleset)


def readable(secrets: list[str]) -> list[tuple[str, int]]:
    """[(path, access)] that together cover the whole file system but what lies under `secrets`.

    A rule holds for all below its folder and nothing can be taken back, so the folders on the way to a secret are
    opened entry by entry; they themselves may be listed.
    """
    secrets = [os.path.realpath(secret) for secret in secrets]
    rules, open_folders = [], ["/"]
    while open_folders:
        folder = open_folders.pop()
        if any(folder == secret or folder.startswith(secret + "/") for secret in secrets):
            continue
        prefix = folder.rstrip("/") + "/"
        if not any(secret.startswith(prefix) for secret in secrets):
            rules.append((folder, _READING))
            continue
        if folder != "/":
            rules.append((folder, _LIST))
        try:
            open_folders += [prefix + name for name in os.listdir(folder) if not os.path.islink(prefix + name)]
        except OSError:
            continue
    return rules
