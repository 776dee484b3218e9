"""The keeper: stands between the zygote and one student's process, sees that it stays within its limits, and ends
everything that came of it.

    every TICK_S:    alive?   memory of all descendants   how many   how much was printed
    the grader says: "end", "where" (make it write down its line), "ranks n" (n processes belong to the question)
    the grader is gone (its socket closes), or the process has ended:   kill all, reap all, remove the folder, report

As root the student's process gets a user id that nobody else has (so that a limit on its processes counts its own, and
its leftovers in /tmp and /dev/shm can be told apart), and the walls of box_walls.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import socket
import sys
import tempfile
import time

from . import box_child, box_rooms, box_walls
from .box_processes import LINUX, adopt_orphans, descendants, kill_tree, reap, resident_bytes

TICK_S = 0.02
_FOLDER_TICKS = 5                    # the folder is looked through at every fifth
FOLDER_FILES, FOLDER_TIMES = 1_000, 2            # most files in it, and its bytes over those of the largest file
_FIRST_UID, _UIDS = 52_000, 8_000
_SHARED_FOLDERS = ("/dev/shm", "/tmp", "/var/tmp")


def keep(request: dict, descriptors: list[int], number: int) -> None:
    """In a fork of the zygote. Never returns."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        adopt_orphans()
        _Keeper(request, descriptors, number).live()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last stop: nothing above this frame may go on here
        import traceback
        sys.__stderr__.write("".join(traceback.format_exception(error)))
    finally:
        os._exit(code)


class _Keeper:
    def __init__(self, request: dict, descriptors: list[int], number: int):
        child, grader, board, self.out, where = descriptors
        self.limits, self.grader = request["limits"], socket.socket(fileno=grader)
        self.grader.setblocking(False)
        self.uid, self._lock = unprivileged_uid(number)
        self.folder = tempfile.mkdtemp(prefix=f"pslab-box-{os.getpid()}-")
        self.idle_bytes = resident_bytes(os.getpid())
        self.allowed = self.limits["processes"]
        self.words, self._ticks = b"", 0
        self.pid = os.fork()
        if self.pid == 0:
            self.grader.close()
            _become_student(request, child, board, self.out, where, self.folder, self.uid)
        for descriptor in (child, board, where):
            os.close(descriptor)

    def live(self) -> None:
        poller = select.poll()
        poller.register(self.grader, select.POLLIN)
        wake = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if wake is not None:
            poller.register(wake, select.POLLIN)
        told: dict = {}
        while not told:
            ready = {descriptor for descriptor, _ in poller.poll(TICK_S * 1000)}
            if self.grader.fileno() in ready and not self._listen():
                told = {"reason": "end"}
            told = told or self._over_limits()
            status = reap().get(self.pid)
            if status is not None:
                told = {**told, "ended": status}
        left = kill_tree(os.getpid())
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.uid is not None:
            _sweep(self.uid)
        with contextlib.suppress(OSError):                # the grader is gone: nobody to tell
            self.grader.setblocking(True)
            self.grader.sendall(json.dumps({"ended": None, **told, "left": left}).encode() + b"\n")

    def _listen(self) -> bool:
        """Do what the grader says; False when it says "end" or is gone."""
        try:
            data = self.grader.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            return False
        *lines, self.words = (self.words + data).split(b"\n")
        for line in lines:
            word, _, count = line.partition(b" ")
            if word == b"end":
                return False
            if word == b"ranks":
                self.allowed = self.limits["processes"] + int(count)
            if word == b"where":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGUSR1)
                    time.sleep(0.05)                      # faulthandler writes from the signal's handler
                self.grader.send(b"{}\n")
        return True

    def _over_limits(self) -> dict:
        found = descendants(os.getpid())
        count = len(found) - 1
        if count > self.allowed:
            return {"reason": "processes", "count": count}
        used = sum(max(resident_bytes(pid) - self.idle_bytes, 0) for pid in found)
        if used > self.limits["memory_bytes"]:
            return {"reason": "memory", "bytes": used}
        if os.fstat(self.out).st_size > self.limits["output_bytes"] + box_walls.OUTPUT_SLACK_BYTES:
            return {"reason": "output"}
        self._ticks += 1
        if self._ticks % _FOLDER_TICKS == 0:
            files, size = _holds(self.folder, FOLDER_FILES)
            if files > FOLDER_FILES or size > FOLDER_TIMES * self.limits["file_bytes"]:
                return {"reason": "files", "count": files, "bytes": size}
        return {}


def _become_student(request: dict, child: int, board: int, out: int, where: int, folder: str, uid: int | None) -> None:
    code = 1
    try:
        box_walls.enter(request["limits"], request["hidden"], folder, uid, out)
        box_child.live(socket.socket(fileno=child), board, where, folder, request)
        code = 0
    except BaseException as error:  # noqa: BLE001 - as in keep
        import traceback
        os.write(2, "".join(traceback.format_exception(error)).encode())
    finally:
        os._exit(code)


# ---- who the student's process is --------------------------------------------------------------------------------


def unprivileged_uid(number: int) -> tuple[int | None, socket.socket | None]:
    """A user id for one box and the lock that holds it; (None, None) where this process is not root."""
    if os.geteuid() != 0:
        return None, None
    for step in range(_UIDS):
        uid = _FIRST_UID + (os.getppid() * 17 + number + step) % _UIDS
        try:
            pwd.getpwuid(uid)
        except KeyError:
            if not LINUX:
                return uid, None
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0pslab-box-{uid}")           # a name in no folder: free again when the keeper is gone
            except OSError:
                lock.close()
                continue
            return uid, lock
    raise RuntimeError("no user id is free for students' code")


def unprivileged_problem() -> str:
    """Why a student's process could not even read Python and pslab; empty when it can. Tried in a fork."""
    if os.geteuid() != 0:
        return ""
    closed = box_rooms.closed_folders(box_rooms.needed())
    if not closed:
        return ""
    folder = tempfile.mkdtemp(prefix="pslab-box-")
    pid = os.fork()
    if pid == 0:
        try:
            box_rooms.make_enterable(folder)
            os.setuid(_FIRST_UID)
            code = 0 if all(os.access(path, os.R_OK | os.X_OK) for path in box_rooms.needed()) else 1
        except OSError:
            code = 1
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    shutil.rmtree(folder)
    return "" if status == 0 else (
        f"as root, students' code runs as a user without rights, who cannot enter {', '.join(closed)}, where Python or "
        "the course lies; move it to where everyone may read, or grade as an ordinary user")


def _holds(folder: str, most: int) -> tuple[int, int]:
    """(files, bytes on disk) below a folder; it stops counting after `most` files."""
    files, size, folders = 0, 0, [folder]
    while folders and files <= most:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                if files > most:
                    break
    return files, size


def _sweep(uid: int) -> None:
    """Remove what a process of this user left outside its folder, where everyone may write."""
    for folder in _SHARED_FOLDERS:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.stat(follow_symlinks=False).st_uid == uid:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)
