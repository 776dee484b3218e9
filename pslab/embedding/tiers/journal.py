"""The redo log beside a table's file: what is about to be written into the table is here first, whole and on the disk.

    | magic number-of-table batch n steps | ids | slots | crc32 |  next batch ...          batch: 1, 2, 3, ...

A batch counts if its checksum is right and all before it count. So a kill in the middle of an append leaves a tail that
does not count, of rows that the table's file has not been touched for; a kill after it leaves a batch that is written
into the table again when it is opened.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from .header import Header
from .rawfile import RawFile

_MAGIC = b"PSLABLOG"
_HEAD, _TAIL = struct.Struct("<8sQQQQ"), struct.Struct("<Q")
_IDS = 1 << 15              # ids written at a time


class Journal:
    """The log of one table. end: bytes of it that count."""

    def __init__(self, file: RawFile, header: Header):
        self.file, self.header = file, header
        self.end, self.batch = 0, 0

    def append(self, ids: np.ndarray, blocks: Iterable[np.ndarray], steps: int) -> None:
        """Add a batch, ids (n,) and blocks of their slots; it counts when this returns, and not at all if it raises."""
        at = self.end
        pieces = [_HEAD.pack(_MAGIC, self.header.table_id, self.batch + 1, len(ids), steps)]
        check = 0
        for piece in _chain(pieces, (ids[lo:lo + _IDS] for lo in range(0, len(ids), _IDS)), blocks):
            view = memoryview(piece).cast("B")
            check = zlib.crc32(view, check)
            self.file.write(view, at)
            at += len(view)
        self.file.write(memoryview(_TAIL.pack(check)), at)
        self.file.sync()
        self.end, self.batch = at + _TAIL.size, self.batch + 1

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """(ids, slots, steps) of the batches that count, in order. Afterwards `end` is where they end."""
        self.end = self.batch = 0
        size = self.file.size
        while (found := self._next(size)) is not None:
            yield found

    def _next(self, size: int):
        if self.end + _HEAD.size + _TAIL.size > size:
            return None
        head = self._read(self.end, _HEAD.size)
        magic, table_id, batch, n, steps = _HEAD.unpack(head)
        body = n * (8 + self.header.slot_bytes)
        if (magic, table_id, batch) != (_MAGIC, self.header.table_id, self.batch + 1) or \
                n > self.header.num_rows or self.end + _HEAD.size + body + _TAIL.size > size:
            return None
        data = self._read(self.end + _HEAD.size, body + _TAIL.size)
        if _TAIL.unpack(data[body:])[0] != zlib.crc32(data[:body], zlib.crc32(head)):
            return None
        self.end, self.batch = self.end + _HEAD.size + body + _TAIL.size, batch
        ids = np.frombuffer(data, np.int64, n)
        slots = np.frombuffer(data, np.uint64, offset=8 * n, count=n * self.header.words)
        return ids, slots.reshape(n, self.header.words), steps

    def clear(self) -> None:
        """Forget all batches: the table's file has them, and the disk has the table's file."""
        if self.file.size:
            self.file.truncate(0)
            self.file.sync()
        self.end = self.batch = 0

    def _read(self, at: int, size: int) -> memoryview:
        buffer = memoryview(bytearray(size))
        if size:
            self.file.read_into(buffer, at)
        return buffer


def _chain(*parts):
    for part in parts:
        yield from part
