"""Where Python or the kit lie in a folder that only root may enter (/root, most often): a view of the file system in
which that folder holds nothing else, for a process that is about to give up being root.

    /root (0700)                         in the student's process: /root (0755, empty but for)
      ├─ .pyenv/versions/3.11 …   ──>      └─ .pyenv/versions/3.11 …
      └─ everything else

A mount namespace of the process's own (Linux, with the right to mount); gone with the process.
"""

from __future__ import annotations

import ctypes
import os
import sys

from .box_processes import LINUX

_NEWNS = 0x20000
_BIND, _REC, _PRIVATE, _MOVE = 4096, 16384, 1 << 18, 8192


def needed() -> list[str]:
    """The folders that a student's process reads Python and the kit from."""
    kit = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    folders = {os.path.realpath(path) for path in [sys.prefix, sys.base_prefix, kit, *sys.path] if os.path.isdir(path)}
    return sorted(path for path in folders if not any(path.startswith(other + "/") for other in folders))


def closed_folders(paths: list[str]) -> dict[str, list[str]]:
    """{a folder that only its owner may enter: those of `paths` below it}; the outermost one for each path."""
    found: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        for depth in range(2, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if not os.stat(folder).st_mode & 0o001:
                found.setdefault(folder, []).append(path)
                break
    return found


def make_enterable(workspace: str) -> None:
    """Change this process's view so that anyone may enter what is needed. PermissionError where that is not allowed."""
    closed = closed_folders(needed())
    if not closed:
        return
    if not LINUX:
        raise PermissionError("only Linux can open a closed folder for one process")
    libc = ctypes.CDLL(None, use_errno=True)
    _do(libc.unshare(_NEWNS), "unshare")
    _mount(libc, "none", "/", None, _REC | _PRIVATE)
    for folder, paths in closed.items():
        if folder in paths:
            raise PermissionError(f"{folder} itself is closed to other users")
        aside = []
        for number, path in enumerate(paths):
            place = os.path.join(workspace, f"room-{number}")
            os.mkdir(place)
            _mount(libc, path, place, None, _BIND | _REC)
            aside.append((place, path))
        _mount(libc, "tmpfs", folder, "tmpfs", 0, "mode=755,size=1m")
        for place, path in aside:
            os.makedirs(path, exist_ok=True)
            _mount(libc, place, path, None, _MOVE)
            os.rmdir(place)


def _mount(libc, source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind)]
    _do(libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode()), f"mount {target}")


def _do(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise PermissionError(number, f"{what}: {os.strerror(number)}")
