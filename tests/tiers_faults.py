"""An operating system for pslab.embedding.tiers.rawfile that fails when it is told to."""

import errno
import os


class Crash(BaseException):
    """The process is gone."""


class System:
    """Calls of os, counted where they change something; everything else as it is.

    crash_at: the number of the change at which the process ends, after `part` (0..1) of its bytes are written.
    full_from: from this change on the disk is full: `part` of the first write still fits, then ENOSPC; None: never.
    With power=draw (a random.Random) a crash is a power cut: of what was written since a file's last fsync any subset
    is on the disk, each write whole or in part, and a truncation or not.
    """

    def __init__(self, crash_at=None, part=0.0, full_from=None, power=None):
        self.crash_at, self.part, self.full_from, self.power = crash_at, part, full_from, power
        self.changes, self.gone = 0, False
        self.paths, self.synced, self.since = {}, {}, {}
        self.calls = []

    def open(self, path, flags, mode=0o666):
        fd = os.open(path, flags, mode)
        self.paths[fd] = path
        if self.power is not None and not os.path.isdir(path) and path not in self.synced:
            self.synced[path], self.since[path] = self._content(path), []
        return fd

    def close(self, fd):
        self.paths.pop(fd, None)
        os.close(fd)

    def fstat(self, fd):
        return os.fstat(fd)

    def preadv(self, fd, buffers, at):
        self._alive()
        self.calls.append(("read", len(buffers[0])))
        return os.preadv(fd, buffers, at)

    def pwrite(self, fd, data, at):
        self._alive()
        self.changes += 1
        self.calls.append(("write", len(data)))
        if self.full_from is not None and self.changes >= self.full_from:
            fits = int(len(data) * self.part) if self.changes == self.full_from else 0
            if fits:
                return os.pwrite(fd, bytes(data[:fits]), at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.changes == self.crash_at:
            self._write(fd, bytes(data[:int(len(data) * self.part)]), at)
            self._crash()
        self._write(fd, bytes(data), at)
        return len(data)

    def ftruncate(self, fd, size):
        self._change()
        os.ftruncate(fd, size)
        if self.power is not None:
            self.since[self.paths[fd]].append((None, size))

    def fsync(self, fd):
        self._change()
        self.calls.append(("sync", self.paths.get(fd)))
        if self.power is not None and self.paths.get(fd) in self.synced:
            path = self.paths[fd]
            self.synced[path], self.since[path] = self._content(path), []

    def replace(self, old, new):
        self._change()
        os.replace(old, new)
        if self.power is not None:
            self.synced[new], self.since[new] = self.synced.pop(old), self.since.pop(old)

    def _write(self, fd, data, at):
        os.pwrite(fd, data, at)
        if self.power is not None:
            self.since[self.paths[fd]].append((at, data))

    def _change(self):
        self._alive()
        self.changes += 1
        if self.changes == self.crash_at:
            self._crash()

    def _alive(self):
        if self.gone:
            raise Crash

    def _crash(self):
        self.gone = True
        if self.power is not None:
            for path, content in self.synced.items():
                self._cut(path, bytearray(content))
        raise Crash

    def _cut(self, path, content):
        """The file as a power cut leaves it."""
        for at, data in self.since[path]:
            if self.power.random() < 0.5:
                continue
            if at is None:
                del content[data:]
                content.extend(bytes(data - len(content)))
                continue
            data = data[:self.power.randint(0, len(data))] if self.power.random() < 0.5 else data
            content.extend(bytes(max(0, at + len(data) - len(content))))
            content[at:at + len(data)] = data
        with open(path, "r+b") as file:
            file.truncate(0)
            file.write(content)

    @staticmethod
    def _content(path):
        with open(path, "rb") as file:
            return file.read()
