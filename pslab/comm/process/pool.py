"""The caller's end of the launcher: started once, shared by all worlds of this process, gone with it."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from ..errors import CommError
from . import launcher

START_S = 60.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                            "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
_MAIN = "from pslab.comm.process.launcher import main; main()"
_current: Launcher | None = None
_lock = threading.Lock()


class Launcher:
    """A running launcher process and what it has told us."""

    def __init__(self, forked: bool = False):
        self.control, theirs = socket.socketpair()
        self.process = _Forked(self.control, theirs) if forked else self._started(theirs)
        theirs.close()
        self.owner = os.getpid()
        self._buffer = b""
        self._deaths: dict[int, int] = {}
        self._stopped: dict[int, int] = {}
        self._lock = threading.RLock()
        self._next("ready", START_S)

    @staticmethod
    def _started(theirs: socket.socket) -> subprocess.Popen:
        environment = {**os.environ, **ONE_THREAD}
        root = str(Path(__file__).resolve().parents[3])          # where this very pslab lies, installed or not
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
        # A session of its own: an interrupt of the notebook's cell must not reach launcher or ranks.
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(theirs.fileno())], env=environment,
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)

    def alive(self) -> bool:
        """Neither shut down nor gone. One that was killed hangs up a moment before its exit can be waited for."""
        if self.owner != os.getpid() or self.control.fileno() < 0 or self.process.poll() is not None:
            return False
        poller = select.poll()
        poller.register(self.control, 0)                             # a hang-up is told in any case
        return not poller.poll(0)

    def spawn(self, request: dict, descriptors: list[int]) -> int:
        """Fork one rank with these descriptors; its pid."""
        if len(descriptors) > launcher.MAX_FDS:
            raise ValueError(f"a rank would need {len(descriptors)} descriptors; at most {launcher.MAX_FDS} can be "
                             "handed over; use a smaller world_size")
        with self._lock:
            launcher.send(self.control, {"op": "spawn", **request}, descriptors)
            return self._next("spawned", START_S)

    def kill(self, pids: list[int], deadline_s: float = 5.0) -> None:
        """SIGKILL these ranks with their process groups, and return when they are reaped."""
        with self._lock:
            left = [pid for pid in pids if pid not in self._deaths]
            if left:
                launcher.send(self.control, {"op": "kill", "pids": left}, [])
            until_s = time.monotonic() + deadline_s
            while any(pid not in self._deaths for pid in left):
                if not self._read(max(until_s - time.monotonic(), 0)):
                    raise CommError(f"processes {left} are still there {deadline_s:g} s after SIGKILL")
            for pid in pids:
                self._deaths.pop(pid, None)
                self._stopped.pop(pid, None)

    def death(self, pid: int, timeout_s: float = 0.0) -> int | None:
        """The wait status of a rank that is gone; None while it lives (after waiting up to timeout_s)."""
        with self._lock:
            until_s = time.monotonic() + timeout_s
            while self._read(max(until_s - time.monotonic(), 0) if pid not in self._deaths else 0):
                continue
            return self._deaths.get(pid)

    def stopped(self, pid: int) -> int:
        """The signal that has stopped a rank (SIGSTOP, say), as told when deaths were last asked for; else 0."""
        return self._stopped.get(pid, 0)

    def close(self) -> None:
        """Hang up; the launcher kills its ranks, reaps them and leaves."""
        self.control.close()
        if self.owner != os.getpid():
            return
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _next(self, what: str, timeout_s: float) -> int:
        self._answers: dict[str, int] = {}
        until_s = time.monotonic() + timeout_s
        while what not in self._answers:
            if not self._read(max(until_s - time.monotonic(), 0)):
                raise CommError(f"the launcher of ranks did not answer '{what}' within {timeout_s:g} s "
                                f"(its exit code: {self.process.poll()})")
        return self._answers[what]

    def _read(self, timeout_s: float) -> bool:
        """Take in what the launcher says; False when it says nothing for timeout_s."""
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        if not poller.poll(timeout_s * 1000):
            return False
        try:
            data = self.control.recv(65536)
        except ConnectionResetError:                                 # it was killed with a request unread
            data = b""
        if not data:
            raise CommError(f"the launcher of ranks ended (exit code {self.process.poll()}); "
                            "the next run starts a new one")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "died" in message:
                self._deaths[message["died"]] = message["status"]
            elif "stopped" in message:
                self._stopped[message["stopped"]] = message["signal"]
            else:
                self._answers.update(message)
        return True


class _Forked:
    """A launcher that is a fork of this process; offers what `Launcher` uses of a Popen."""

    def __init__(self, mine: socket.socket, theirs: socket.socket):
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                mine.close()
                launcher.greet_and_serve(theirs)
            finally:
                os._exit(0)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout_s: float | None = None) -> int:
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while self.poll() is None:
            if until_s is not None and time.monotonic() > until_s:
                raise subprocess.TimeoutExpired("launcher", timeout_s)
            time.sleep(0.001)
        return self.returncode

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def fork_launcher() -> None:
    """From now on this process's ranks come from a fork of it, until `shut_down`: at once, and with all that it has
    loaded. For a process that has torch loaded and runs no other thread."""
    global _current
    shut_down()
    with _lock:
        _current = Launcher(forked=True)


@contextmanager
def uninterrupted():
    """Hold a Ctrl-C back until the body is done: half a conversation with the launcher would spoil the next one."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield                                       # only the main thread is ever interrupted
        return
    held = []
    before = signal.signal(signal.SIGINT, lambda *_: held.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)


def current() -> Launcher:
    """The launcher of this process, started when there is none. A forked child starts its own."""
    global _current
    with _lock:
        if _current is None or not _current.alive():
            _current = Launcher()
        return _current


def shut_down() -> None:
    """End the launcher and with it all ranks of this process."""
    global _current
    with _lock:
        if _current is not None:
            _current.close()
            _current = None


atexit.register(shut_down)
