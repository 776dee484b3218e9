"""The student's process: loads their code, answers questions, one after the other, until the grader hangs up.

    question ──> load cells or functions │ call f(*args) │ run K ranks of f(comm, …) ──> answer in the wire format

Whatever the student's code raises becomes an answer {what: error, kind, seen, where}; kinds are those of failures.py.
After each question it looks whether the kit was changed, or a thread was left running.
"""

from __future__ import annotations

import faulthandler
import functools
import linecache
import mmap
import os
import pickle
import signal
import socket
import struct
import sys
import time
import types

from pslab import comm as ground
from pslab.comm import decode, encode

from . import box_runs
from .box_face import BORROWER
from .box_fingerprint import Fingerprint
from .box_guard import Guard, Refused
from .box_signs import BOARD_BYTES, CLOSED, FULL, MAGIC, place

_HEAD = struct.Struct("<4s16sQ")
_fingerprint: Fingerprint | None = None
_changed, _sign = Fingerprint.changed, Guard.sign


def warm_up() -> None:
    """In the zygote: everything that a first question would otherwise do, and what the kit looks like untouched."""
    global _fingerprint
    from pslab.comm import SimWorld

    SimWorld(2).run(lambda comm: comm.rank)
    decode(encode([1]))
    package = sys.modules["pslab.grade"]
    package.__dict__.pop("check", None)
    _fingerprint = Fingerprint()


def live(sock: socket.socket, board_fd: int, where_fd: int, folder: str, request: dict) -> None:
    """Answer until the grader is gone."""
    board = mmap.mmap(board_fd, BOARD_BYTES)
    os.close(board_fd)
    guard = Guard(board, folder, request["hidden"], request["forbidden"], request["limits"]["processes"])
    guard.install(BORROWER)
    # Written from a signal handler, also inside compiled code that never returns.
    faulthandler.enable(file=where_fd, all_threads=True)
    faulthandler.register(signal.SIGUSR1, file=where_fd, all_threads=True)
    limit = request["limits"]["output_bytes"]
    sys.stdout, sys.stderr = Counted(sys.stdout, limit), Counted(sys.stderr, limit)
    _dress_package()
    student = Student(guard, request["limits"])
    while True:
        try:
            head = _exactly(sock, _HEAD.size)
            if head is None:
                return
            _, token, size = _HEAD.unpack(head)
            reply = student.answer(pickle.loads(_exactly(sock, size)))
            sock.sendall(_HEAD.pack(MAGIC, token, len(reply)) + reply)
        except OSError:                                   # not our socket any more: the student's code closed it
            os._exit(CLOSED)


class Student:
    """The student's names, and what is asked of them."""

    def __init__(self, guard: Guard, limits: dict):
        self.guard, self.limits = guard, limits
        self.names: dict = {"__name__": "student", "__builtins__": __builtins__}
        self.notes: list[tuple[str, str]] = []

    def answer(self, asked: dict) -> bytes:
        threads, failed, reply = set(sys._current_frames()), None, {}
        try:
            reply = {"load": self._load, "call": self._call, "run": self._run}[asked["op"]](asked)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt too: the grader must know
            failed = error
        self.guard.switch(False)
        look_for_changes(self.guard)                      # first of all: it puts builtins back
        if failed is not None:
            reply = self._told(failed)
        sys.stdout.flush()
        sys.stderr.flush()
        self._look_for_threads(threads)
        try:
            return encode(reply)
        except (ValueError, RecursionError) as error:
            return encode({"what": "error", "kind": "BadValue", "where": "", "lives": True,
                           "seen": f"what your function returned cannot be handed back: {error}"})

    # ---- the three questions ----

    def _load(self, asked: dict) -> dict:
        if asked["pickled"] is not None:
            self.guard.switch(True)
            self.names.update(pickle.loads(asked["pickled"]))
            self.guard.files |= {code.co_filename for f in self.names.values() if callable(f)
                                 for code in [getattr(f, "__code__", None)] if code is not None}
        for label, text, needed in asked["cells"]:
            self._execute(label, text, needed)
        return {"what": "loaded", "failed": self.notes}

    def _execute(self, label: str, text: str, needed: bool) -> None:
        self.guard.files.add(label)
        linecache.cache[label] = (len(text), None, text.splitlines(keepends=True), label)
        try:
            code = compile(text, label, "exec", dont_inherit=True)
            self.guard.switch(True)
            exec(code, self.names)
        except BaseException as error:
            if needed or isinstance(error, Refused):
                raise
            self.notes.append((label, f"{type(error).__name__}: {error}"))
        finally:
            self.guard.switch(False)

    def _call(self, asked: dict) -> dict:
        function, args, kwargs = self._function(asked["name"]), decode(asked["args"]), decode(asked["kwargs"])
        self.guard.switch(True)
        value = function(*args, **kwargs)
        self.guard.switch(False)
        return {"what": "value", "value": value}

    def _run(self, asked: dict) -> dict:
        function = self._function(asked["name"])
        if asked["within"] is not None:
            function = functools.partial(pickle.loads(asked["within"]), function)
        return box_runs.run(function, asked, self.guard, self.limits)

    def _function(self, name: str):
        if name not in self.names:
            label, what = self.notes[0] if self.notes else ("", "")
            why = f"; {label} stopped with {what}" if self.notes else ""
            raise Missing(f"there is no function {name}{why}")
        return self.names[name]

    # ---- what went wrong ----

    def _told(self, error: BaseException) -> dict:
        self.guard.switch(False)
        kind, run, lives = "Raised", None, True
        try:
            text = str(error)[:2000]
        except BaseException as other:  # noqa: BLE001 - a class of the student's
            text = f"(its message cannot be read: {type(other).__name__})"
        seen = f"{type(error).__name__}: {text}" if text else type(error).__name__
        if isinstance(error, Missing):
            kind, seen = "Missing", text
        elif isinstance(error, NotImplementedError):
            kind, seen = "NotYet", text or "not yet"
        elif isinstance(error, SystemExit):
            kind, seen = "Raised", f"your code left Python (SystemExit, code {error.code!r})"
        elif isinstance(error, MemoryError) or "allocate memory" in text:
            kind, seen = "OutOfMemory", f"your code asked for more memory than there is: {seen}"
        elif isinstance(error, SyntaxError):
            seen = f"{type(error).__name__}: {error.msg}"
        elif isinstance(error, ground.CommError):
            kind, seen, run, lives = box_runs.told(error)
        notes = [note for note in getattr(error, "__notes__", []) if note.startswith("raised by rank")]
        if notes and kind == "Raised":
            seen += f" (rank {notes[0].split()[3].rstrip(':')})"
        return {"what": "error", "kind": kind, "seen": seen, "where": self._line(error), "run": run, "lives": lives}

    def _line(self, error: BaseException) -> str:
        """The innermost line of the student's in a traceback."""
        if isinstance(error, SyntaxError) and error.filename in self.guard.files:
            return f"{error.filename}, line {error.lineno}"
        found, trace = "", error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename in self.guard.files:
                found = place(code.co_filename, trace.tb_lineno, code.co_name)
            trace = trace.tb_next
        return found or box_runs.line_in_notes(error, self.guard.files)

    def _look_for_threads(self, threads: set[int]) -> None:
        for _ in range(20):
            if not set(sys._current_frames()) - threads:
                return
            time.sleep(0.01)
        self.guard.sign("Forbidden", "your code left a thread running after it had returned")


def look_for_changes(guard: Guard) -> None:
    """By functions as they were at the start, for these may be what was changed."""
    changed = _changed(_fingerprint)
    if changed:
        _sign(guard, "Forbidden", f"your code changed {changed}")


class Missing(Exception):
    """No function of that name."""


class Counted:
    """A text stream that ends the process when more than `limit` characters were written."""

    def __init__(self, stream, limit: int):
        self._stream, self._left = stream, limit
        self._limit = limit

    def write(self, text: str) -> int:
        self._left -= len(text)
        if self._left < 0:
            sys.audit("pslab.guard.sign", "TooMuchOutput", f"your code printed more than {self._limit:,} bytes")
            os._exit(FULL)
        return self._stream.write(text)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


class _Inert(types.ModuleType):
    """`pslab.grade` as a student's process sees it: check, predict and hint do nothing."""

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def _dress_package() -> None:
    package = sys.modules["pslab.grade"]
    for name in [name for name in vars(package) if not name.startswith("_") and name not in sys.modules]:
        if not isinstance(getattr(package, name), types.ModuleType):
            delattr(package, name)
    del package.__getattr__
    package.__class__ = _Inert


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        more = sock.recv(min(size - len(data), 1 << 20))
        if not more:
            return None
        data += more
    return bytes(data)


