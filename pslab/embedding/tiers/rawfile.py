"""A file by offset: every byte is read or written, or an error says how many were not. All system calls are here.

    read_into(view, at)     pread until the view is full
    write(view, at)         pwrite until it is empty; a full disk: OSError with the file and the bytes that it lacked
    sync()                  return when the disk has it all
"""

from __future__ import annotations

import errno
import fcntl
import os


class RawFile:
    """An open file. `system` is the module whose pread, pwrite, fsync, ... it calls: tests plant faults there."""

    system = os

    def __init__(self, path: str, create: bool = False):
        self.path, self.fd = path, -1
        self.fd = self.system.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o666)

    def lock(self, table: str) -> None:
        """Keep other processes, and other stores of this one, out until the file is closed."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise BlockingIOError(errno.EAGAIN, "the table is open already, here or in another process; close it "
                                                "there first", table) from None

    @property
    def size(self) -> int:
        return self.system.fstat(self.fd).st_size

    def read_into(self, view, at: int) -> None:
        """Fill the buffer with the bytes from offset `at`."""
        got = self.system.preadv(self.fd, [view], at)
        if got != len(view):
            self._read_rest(view, at, got)

    def _read_rest(self, view, at: int, got: int) -> None:
        while got < len(view):
            more = self.system.preadv(self.fd, [view[got:]], at + got)
            if not more:
                raise ValueError(f"{self.path}: the file ends at byte {at + got:,}; bytes up to {at + len(view):,} are "
                                 f"needed: it was cut while it was in use")
            got += more

    def write(self, view, at: int) -> None:
        """Write the whole buffer at offset `at`."""
        done = 0
        try:
            while done < len(view):
                done += self.system.pwrite(self.fd, view[done:] if done else view, at + done)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise OSError(error.errno, f"{error.strerror}: there is no room for {len(view) - done:,} of {len(view):,} "
                                       f"bytes at offset {at:,}; the rows are kept in memory: make room and flush "
                                       f"again", self.path) from None

    def truncate(self, size: int) -> None:
        self.system.ftruncate(self.fd, size)

    def sync(self) -> None:
        self.system.fsync(self.fd)

    def close(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self.system.close(fd)

    __del__ = close


def sync_folder(path: str) -> None:
    """Make a rename in the folder of `path` last."""
    fd = RawFile.system.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        RawFile.system.fsync(fd)
    finally:
        RawFile.system.close(fd)
