"""The grader's end of the sandbox: the warm zygote, and one handle for each process it makes.

    grader ── control ──> zygote (numpy, torch, pslab.comm loaded; started at first use)
                             └─fork─> keeper ─fork─> the student's process         one pair for each exercise
    grader <── keeper socket ──┘ (started, ended and why)     │
    grader <── child socket ── questions and answers ─────────┘
    shared, readable at any time: board (what was tried), out (prints), where (the line, when it hangs or crashes)

The zygote leaves when this process does, however it ends: its socket closes, and with each keeper's socket the box.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import mmap
import os
import pickle
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from pslab.comm import WireError, decode

from . import failures
from .box_ends import why_it_ended
from .box_run import read_run
from .box_signs import BOARD_BYTES, MAGIC, last_line, read_board

START_S = 120.0
_MAIN = "from pslab.grade.zygote import main; main()"
_HEAD = struct.Struct("<4s16sQ")              # magic, token of the question, length
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR", "PSLAB_DATA", "VIRTUAL_ENV",
              "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")     # the last four: matplotlib's font cache
_current: dict[int | None, Zygote] = {}        # by PYTHONHASHSEED
_lock = threading.Lock()


def running(hash_seed: int | None = None) -> Zygote:
    """The zygote of this process with this PYTHONHASHSEED (None: Python draws one), started when there is none."""
    with _lock:
        if hash_seed not in _current or not _current[hash_seed].alive():
            _current[hash_seed] = Zygote(hash_seed)
        return _current[hash_seed]


def shut_down() -> None:
    """End all zygotes; the next box starts a new one."""
    with _lock:
        while _current:
            _current.popitem()[1].close()


atexit.register(shut_down)


class Zygote:
    """A running zygote. It gets a bare environment, so that no secret of the grader's can be read from it."""

    def __init__(self, hash_seed: int | None = None):
        self.control, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        environment |= {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {} if hash_seed is None else {"PYTHONHASHSEED": str(hash_seed)}
        self.process = subprocess.Popen([sys.executable, "-P", "-c", _MAIN, str(theirs.fileno())], env=environment,
                                        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)
        theirs.close()
        self.owner, self._lock = os.getpid(), threading.Lock()
        ready = select.select([self.control], [], [], START_S)[0] and self.control.recv(4096)
        if not ready or not json.loads(ready).get("ready"):
            self.process.kill()
            told = json.loads(ready).get("problem") if ready else f"exit code {self.process.wait()}"
            raise failures.BoxTrouble(f"the process that runs students' code did not start: {told}")

    def alive(self) -> bool:
        return self.owner == os.getpid() and self.process.poll() is None

    def open(self, limits, hidden=(), forbidden=(), preload=()) -> Process:
        """A fresh process, ready for questions."""
        wanted = {"hidden": [os.path.realpath(path) for path in hidden], "forbidden": list(forbidden),
                  "preload": list(preload)}
        return Process(self, asdict(limits), wanted)

    def send(self, request: dict, descriptors: list[int]) -> None:
        with self._lock:
            socket.send_fds(self.control, [json.dumps(request).encode()], descriptors)

    def close(self) -> None:
        self.control.close()
        if self.owner == os.getpid():
            try:
                self.process.wait(10.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Process:
    """One student's process. `ask` raises what of failures.py happened there; after most of them it is gone."""

    def __init__(self, zygote: Zygote, limits: dict, wanted: dict):
        self.limits, self._told, self._ended = limits, b"", None
        self._files = [os.memfd_create(name) for name in ("pslab-board", "pslab-out", "pslab-where")]
        os.ftruncate(self._files[0], BOARD_BYTES)
        self._board = mmap.mmap(self._files[0], BOARD_BYTES)
        self._socket, child = socket.socketpair()
        self._keeper, keeper = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (self._socket, self._keeper):
            end.setblocking(False)
        try:
            zygote.send({"limits": limits, **wanted}, [child.fileno(), keeper.fileno(), *self._files])
        finally:
            child.close()
            keeper.close()

    # ---- questions ----

    def ask(self, asked: dict, timeout_s: float, ranks: int = 0) -> dict:
        """The answer to one question. ranks: how many processes the question itself needs."""
        token = os.urandom(16)
        body = pickle.dumps(asked)                        # to our own child; what comes back is never unpickled
        until_s = time.monotonic() + timeout_s
        if ranks:
            self._say(f"ranks {ranks}")
        if not self._send(_HEAD.pack(MAGIC, token, len(body)) + body, until_s):
            raise self._too_late(timeout_s)
        data = self._receive(token, until_s)
        if data is None:
            raise self._too_late(timeout_s)
        if ranks:
            self._say("ranks 0")
        try:
            reply = decode(data)
            if not isinstance(reply, dict) or not isinstance(reply.get("what"), str):
                raise WireError("no answer")
        except (WireError, RecursionError) as error:
            raise failures.BadValue(f"what came back cannot be read: {error}") from None
        self._check_signs()
        if reply["what"] == "error":
            raise self._failure(reply)
        return reply

    def prints(self) -> str:
        return os.pread(self._files[1], self.limits["output_bytes"], 0).decode(errors="replace")

    def end(self) -> dict:
        """Kill what is left, wait for it; says how the process ended."""
        if self._ended is None:
            self._say("end")
            self._wait_for_end(10.0)
        with contextlib.suppress(BufferError):
            self._board.close()
        for closing in (self._socket, self._keeper):
            closing.close()
        for descriptor in self._files:
            os.close(descriptor)
        self._files = []
        return self._ended or {}

    def _send(self, data: bytes, until_s: float) -> bool:
        view = memoryview(data)
        while view:
            if not self._poll([(self._socket, select.POLLOUT)], until_s):
                return False
            try:
                view = view[self._socket.send(view):]
            except BlockingIOError:
                continue
            except OSError:
                raise self._gone() from None
        return True

    def _receive(self, token: bytes, until_s: float) -> bytes | None:
        """The body of the answer; None when the time is over. Foreign bytes, or too many, end the process."""
        data = bytearray()
        while True:
            if not self._poll([(self._socket, select.POLLIN)], until_s):
                return None
            try:
                more = self._socket.recv(1 << 20)
            except BlockingIOError:
                continue
            except OSError:
                more = b""
            if not more:
                raise self._gone()
            data += more
            if len(data) < _HEAD.size and MAGIC.startswith(bytes(data[:4])):
                continue
            magic, echoed, size = _HEAD.unpack_from(data.ljust(_HEAD.size, b"\0"))
            if magic != MAGIC or echoed != token or len(data) > _HEAD.size + size:
                raise failures.Forbidden("your code wrote bytes of its own into the channel to the grader")
            if size > self.limits["reply_bytes"]:
                raise failures.BadValue(f"your function returned {size:,} bytes; at most "
                                        f"{self.limits['reply_bytes']:,} can be handed back")
            if len(data) == _HEAD.size + size:
                return bytes(data[_HEAD.size:])

    def _poll(self, wanted: list, until_s: float) -> bool:
        """Wait for a descriptor; False when the time is over. Raises when the keeper reports the end."""
        poller = select.poll()
        for end, events in wanted:
            poller.register(end, events)
        poller.register(self._keeper, select.POLLIN)
        while True:
            ready = dict(poller.poll(max(until_s - time.monotonic(), 0) * 1000))
            if any(end.fileno() in ready for end, _ in wanted):
                return True                              # an answer that came before the end counts first
            if self._keeper.fileno() in ready:
                self._listen()
                if self._ended is not None:
                    raise self._gone()
            elif not ready:
                return False

    # ---- the end ----

    def _say(self, words: str) -> None:
        with contextlib.suppress(OSError):                # the keeper is gone: its word about the end is already here
            self._keeper.send(words.encode() + b"\n")

    def _listen(self) -> None:
        try:
            data = self._keeper.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended = self._ended or {"lost": True}
            return
        *lines, self._told = (self._told + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "ended" in told:
                self._ended = told

    def _wait_for_end(self, timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        poller = select.poll()
        poller.register(self._keeper, select.POLLIN)
        while self._ended is None and poller.poll(max(until_s - time.monotonic(), 0) * 1000):
            self._listen()

    def _check_signs(self) -> None:
        """Raise what the guard wrote on the board, also when the student's code swallowed the exception."""
        sign = read_board(self._board)
        if sign is not None:
            kind = getattr(failures, sign.get("kind", ""), failures.Forbidden)
            raise kind(sign.get("seen", ""), sign.get("where", ""))
        if os.fstat(self._files[1]).st_size > self.limits["output_bytes"]:
            raise failures.TooMuchOutput(f"your code printed more than {self.limits['output_bytes']:,} bytes")

    def _too_late(self, timeout_s: float) -> failures.AnswerFailed:
        try:
            self._check_signs()
        except failures.AnswerFailed as sign:
            return sign
        self._say("where")
        poller = select.poll()
        poller.register(self._keeper, select.POLLIN)
        if poller.poll(500):
            self._listen()
        return failures.TimedOut(f"no answer within {timeout_s:g} s", last_line(self._where()))

    def _gone(self) -> failures.AnswerFailed:
        """Why the process is no longer there."""
        self._wait_for_end(5.0)
        try:
            self._check_signs()
        except failures.AnswerFailed as sign:
            return sign
        return why_it_ended(self._ended or {}, self.limits, last_line(self._where()))

    def _failure(self, reply: dict) -> failures.AnswerFailed:
        kind = getattr(failures, str(reply.get("kind")), None)
        if not (isinstance(kind, type) and issubclass(kind, failures.AnswerFailed)):
            kind = failures.Raised
        run = read_run(reply["run"], len(reply["run"]["prints"])) if reply.get("run") else None
        failed = kind(str(reply.get("seen"))[:4000], str(reply.get("where"))[:300], run=run)
        failed.lives = bool(reply.get("lives"))           # the process is as good as before
        return failed

    def _where(self) -> str:
        return os.pread(self._files[2], 1 << 16, 0).decode(errors="replace")
