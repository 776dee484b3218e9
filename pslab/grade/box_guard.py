"""The guard: an audit hook in the student's process, which refuses and writes down what an answer may not do.

    event (open, import, os.fork, socket.connect, ctypes.dlopen …) ──> refused? ──> sign on the board, then Forbidden_

The sign counts, whatever becomes of the exception: code that swallows it has still done it. Hooks cannot be removed.
What Python does not announce (C code that opens files) is left to the walls of box_walls.py.

Whether it is on stands in a variable of the hook alone, which nothing in Python leads to, and nobody whose caller is
the student's code can switch it off. The real comm of a rank is kept there too, lent to the exercise's face only.
"""

from __future__ import annotations

import ipaddress
import mmap
import os
import sys

from .box_signs import place, write_board
from .box_walls import secret_paths

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_MODULES = ("pslab.exercises", "pslab.grade", "pslab.cli", "pslab.notebooks", "solutions", "tests")
_STARTS = {"os.system": "a shell command", "subprocess.Popen": "another program", "os.posix_spawn": "another program",
           "os.spawn": "another program", "os.exec": "another program", "pty.spawn": "another program",
           "os.forkpty": "another process", "os.startfile": "another program"}
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
            "os.chown", "os.utime", "os.setxattr", "os.removexattr", "os.chflags", "os.lchmod", "os.mkfifo",
            "shutil.rmtree", "shutil.move", "tempfile.mkstemp", "tempfile.mkdtemp")
_SNOOPS = ("gc.get_objects", "gc.get_referrers", "resource.setrlimit", "resource.prlimit", "sys.addaudithook",
           "signal.pthread_kill", "sys.settrace", "sys.setprofile")
_FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")               # roads to the frames of whoever asks
_LENDERS = ("inspect", "traceback", "logging")                           # modules that hand out frames
_DEVICES = ("/dev/null", "/dev/zero")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


_SWITCH, _KEEP, _LEND = "pslab.guard.switch", "pslab.guard.keep", "pslab.guard.lend"
_REFUSE, _SIGN = "pslab.guard.refuse", "pslab.guard.sign"


class Refused(PermissionError):
    """What the student's code sees when it tries something that an answer may not do."""


class Guard:
    """Installed once, off until `switch(True)`."""

    def __init__(self, board: mmap.mmap, folder: str, hidden: list[str], forbidden: list[str], processes: int):
        self._board, self._folder = board, os.path.realpath(folder)
        self._secrets = tuple(os.path.realpath(path) for path in [*map(str, secret_paths()), *hidden])
        self._modules = _MODULES + tuple(forbidden)
        self._forks = processes > 0
        self.files: set[str] = set()                      # where the student's functions were written

    def install(self, borrower=None) -> None:
        """borrower: what was kept is lent to its inner function, unless another room of the kit is calling it."""
        handlers = {"import": self._on_import, "open": self._on_open, "os.listdir": self._on_list,
                    "os.scandir": self._on_list, "os.chdir": self._on_chdir, "os.kill": self._on_kill,
                    "os.killpg": self._on_kill, "os.fork": self._on_fork}
        handlers |= dict.fromkeys(_STARTS, self._on_start) | dict.fromkeys(_CHANGES, self._on_change)
        handlers |= dict.fromkeys(_SNOOPS, self._on_snoop)
        handlers |= dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"), self._on_socket)
        handlers |= dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname"), self._on_lookup)
        framed = {"sys._getframe": self._on_frame, "sys._current_frames": self._on_frame,
                  "sys._current_exceptions": self._on_frame, "object.__getattr__": self._on_attribute,
                  "gc.get_referents": self._on_frame}
        guard, strict, busy, kept, known = self, False, False, [], set()
        home = getattr(borrower, "__globals__", None)         # the same code with other globals is somebody else's
        inner = next((part for part in borrower.__code__.co_consts if hasattr(part, "co_code")), None) if home else None
        room_at_work, frame_at = _looker(), sys._getframe

        def hook(event, args, get=handlers.get, frame_of=framed.get):
            nonlocal strict, busy, known
            if event.startswith("pslab."):
                if event == _KEEP:
                    kept.append(args[0])
                    args[1].append(len(kept) - 1)
                elif event == _LEND:
                    asker = frame_at(1)
                    called = room_at_work(asker)
                    if called:
                        guard.refuse(f"called {called}; this exercise asks you to build it")
                    elif asker.f_code is inner and asker.f_globals is home:
                        args[1].append(kept[args[0]])
                elif event == _REFUSE:
                    guard.refuse(args[0])
                elif event == _SIGN:
                    guard.sign(*args)
                elif event == _SWITCH and args[0] != strict:
                    known |= guard.files
                    if strict and _any_of(known, sys._getframe(1)):
                        guard.refuse("switched off what watches it")
                    strict = args[0]
                    kept.clear()
            elif strict and not busy:
                handler = get(event)
                if handler is not None:
                    handler(event, args)
                elif frame_of(event) is not None:
                    busy = True                           # to look for the caller is such an event itself
                    try:
                        frame_of(event)(event, args, sys._getframe(1))
                    finally:
                        busy = False
                elif event.startswith("ctypes.") and not _is_simulators(sys._getframe(1)):
                    guard.refuse(f"used ctypes ({event}), which could change anything")

        sys.addaudithook(hook)

    def switch(self, on: bool) -> None:
        """On before the student's code runs, off after it."""
        sys.audit(_SWITCH, on)

    def refuse(self, what: str) -> None:
        """Write it down and raise."""
        self.sign("Forbidden", "your code " + what)
        raise Refused("an answer may not do this: it " + what)

    def sign(self, kind: str, seen: str) -> None:
        write_board(self._board, kind, seen, self.where())

    def where(self, frame=None) -> str:
        """The innermost line of the student's that is being executed."""
        frame = frame or sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename in self.files:
                return place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            frame = frame.f_back
        return ""

    # ---- handlers ----

    def _on_import(self, event, args) -> None:
        name = args[0]
        for secret in self._modules:
            if name == secret or name.startswith(secret + "."):
                self.refuse(f"imported {name}")

    def _on_open(self, event, args) -> None:
        path, mode, flags = args
        if isinstance(path, int) or path is None:
            return
        real = self._real(path)
        writes = (isinstance(mode, str) and any(c in mode for c in "wax+")) or bool((flags or 0) & _WRITING)
        if writes and not self._inside(real) and real not in _DEVICES:
            self.refuse(f"wrote to {_shown(real)}, outside its folder")
        self._check_secret(real, "opened")
        process = real.split("/")[2] if real.startswith("/proc/") else ""
        if (process.isdigit() and process != str(os.getpid())) or (process and real.endswith("/mem")):
            self.refuse(f"opened {real}, the inside of a process")
        if mode is None and not self._inside(real) and os.path.isdir(real):
            self.refuse(f"opened the folder {_shown(real)} by os.open")          # a way around checks of paths

    def _on_list(self, event, args) -> None:
        if not isinstance(args[0], int):
            self._check_secret(self._real(args[0] or "."), "listed")

    def _on_chdir(self, event, args) -> None:
        if isinstance(args[0], int) or not self._inside(self._real(args[0])):
            self.refuse("left its folder by os.chdir")

    def _on_change(self, event, args) -> None:
        paths = args[:2] if event in ("os.rename", "os.link", "os.symlink", "shutil.move") else args[:1]
        for place_in_args, path in enumerate(paths):
            if not isinstance(path, (str, bytes, os.PathLike)):
                continue
            real = self._real(path)
            if event in ("os.link", "os.symlink") and place_in_args == 0:
                self._check_secret(real, "linked to")     # what it points to stays as it is
            elif not self._inside(real):
                self.refuse(f"changed {_shown(real)} ({event}), outside its folder")

    def _on_kill(self, event, args) -> None:
        if args[0] != os.getpid():
            self.refuse(f"sent a signal to process {args[0]}")

    def _on_fork(self, event, args) -> None:
        if not self._forks:
            self.refuse("started another process (os.fork)")

    def _on_start(self, event, args) -> None:
        self.refuse(f"started {_STARTS[event]} ({event})")

    def _on_frame(self, event, args, caller) -> None:
        outer = caller
        while outer is not None and outer.f_globals.get("__name__") == "inspect":
            outer = outer.f_back
        if outer is caller and caller.f_globals.get("__name__") in _LENDERS:
            outer = caller.f_back
        if outer is not None and outer.f_code.co_filename in self.files:
            self.refuse(f"looked at what called it ({event})")

    def _on_attribute(self, event, args, caller) -> None:
        if args[1] in _FRAMES:
            self._on_frame(args[1], args, caller)

    def _on_snoop(self, event, args) -> None:
        self.refuse(f"called {event}")

    def _on_socket(self, event, args) -> None:
        address = args[1]
        if address is None:
            return
        if isinstance(address, tuple):
            if not _is_loopback(address[0]):
                self.refuse(f"connected to {address[0]}, which is not this machine")
        elif not self._inside(self._real(address)):
            self.refuse(f"connected to the socket {address!r}")

    def _on_lookup(self, event, args) -> None:
        if args[0] is not None and not _is_loopback(args[0]):
            self.refuse(f"looked up the address of {args[0]}")

    # ---- paths ----

    def _real(self, path) -> str:
        path = os.fsdecode(path)
        if "\0" in path:
            return path
        if not path.startswith("/") and ".." in path.split("/"):
            self.refuse(f"used the path {path!r}, which leaves its folder")
        return _realpath(path)

    def _inside(self, real: str) -> bool:
        return real == self._folder or real.startswith(self._folder + "/")

    def _check_secret(self, real: str, did: str) -> None:
        for secret in self._secrets if not self._inside(real) else ():
            if real == secret or real.startswith(secret + "/"):
                self.refuse(f"{did} {_shown(real)}, which holds what answers are judged by")


_realpath = os.path.realpath


def _shown(path: str) -> str:
    """The kit's own files by their place in the kit; others as they are."""
    root = os.path.dirname(os.path.dirname(_PACKAGE)) + os.sep
    return path.removeprefix(root)


def _looker():
    """A function: from a frame to 'pslab.room.function', the outermost of another room that is at work above it, or ''.

    By name and by file, as a copy of a function may have any globals. It keeps to itself all that it needs.
    """
    ours, kit, cut = ("grade", "comm", "exercises"), _PACKAGE, len(_PACKAGE)   # exercises: programs around an answer

    def room_at_work(frame) -> str:
        called = ""
        while frame is not None:
            name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
            room = ""
            if file.startswith(kit):
                room = file[cut:].rpartition("/")[0].split("/")[0]           # '' for what lies beside the rooms
            elif type(name) is str and name.startswith("pslab."):
                room = name.split(".")[1]
            if room and room not in ours:
                called = f"pslab.{room}.{frame.f_code.co_name}"
            frame = frame.f_back
        return called

    return room_at_work


def _is_simulators(frame) -> bool:
    """Whether ctypes is used by the simulator, which swaps the random generators of ranks by it."""
    codes = {getattr(value, "__code__", None) for value in vars(sys.modules["pslab.comm.sim.state"]).values()}
    return frame.f_code in codes or frame.f_back.f_code in codes - {None}


def _any_of(files: set[str], frame) -> bool:
    while frame is not None and frame.f_code.co_filename not in files:
        frame = frame.f_back
    return frame is not None


def _is_loopback(host) -> bool:
    host = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
