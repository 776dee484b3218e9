"""Rows in a file, so that a table may be larger than memory, and outlive the process.

    write ──> pending rows ──batch──> journal, synced ──> in place: neighbouring rows in one pwrite      path, path.log
    read  ──> pending, else pread: neighbouring rows in one call; a slot of zeros has its first values

What a kill leaves, at any moment, and a power cut too: no row is torn, and none is older than the last flush, for

    1. rows are written in place only after their batch is in the journal and synced,
    2. the journal is emptied only after the file is synced,
    3. opening writes the journal's batches in place once more.

Rows may be newer than the last flush, as batches leave whenever they are full. `steps` is as of the last batch.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

import numpy as np

from .header import HEADER_BYTES, NOTES_AT, Header, RowChecks, check_alike, newest_note, pack_note, unpack
from .journal import Journal
from .memory import first_or_zeros
from .pending import Pending
from .rawfile import RawFile, sync_folder
from .store import RowStore, whole

_BLOCK_BYTES = 1 << 18      # rows are read and written in blocks of at most so many bytes


class DiskStore(RowStore):
    """R rows in the file `path`, made where there is none; beside it `path`.log, which has to stay with it.

    num_rows, width: may be left out for a file that exists. first: what rows hold before they are written, a RowLayout
    (None: zeros); then width may be left out. It must be the one that the file was begun with. A row takes room on the
    disk once it is written. write_back_bytes: RAM for rows on their way to the disk; they leave when it is full, and on
    flush. log_bytes: the size at which the journal is emptied. recovered: rows that opening took from the journal.
    A file is open in one store at a time: BlockingIOError says that it is open elsewhere. ValueError: a file of another
    shape, version or beginning, one that is cut off or damaged. OSError: a full disk, with the bytes that lack; rows
    that were taken stay in memory, to be flushed again.
    """

    def __init__(self, path: str | Path, num_rows: int | None = None, width: int | None = None, first=None, *,
                 write_back_bytes: int = 4 << 20, log_bytes: int = 64 << 20):
        self.path = os.fspath(path)
        write_back_bytes, self.log_bytes = whole("write_back_bytes", write_back_bytes), whole("log_bytes", log_bytes)
        self._first, width = first_or_zeros(first, width)
        self._lock = threading.RLock()
        self._data = None
        log = RawFile(f"{self.path}.log", create=True)
        try:
            log.lock(self.path)
            self._open(log, num_rows, width)
            super().__init__(self._header.num_rows, self._header.width)
            if self._first is None:
                self._first, _ = first_or_zeros(None, self.width)
            words = self._header.words
            self._checks = RowChecks(words)
            capacity = max(1, write_back_bytes // Pending.row_bytes(words))
            block_bytes = min(_BLOCK_BYTES, write_back_bytes)
            self._pending = Pending(min(capacity, self.num_rows), words, block_bytes)
            self.buffer_bytes = self._pending.nbytes + 2 * block_bytes
            self._batches, self._scratch = 0, max(1, block_bytes // (8 * words))
            self.read_calls = self.write_calls = 0
            self._recover()
        except BaseException:
            log.close()
            if self._data is not None:
                self._data.close()
            raise

    @property
    def name(self) -> str:
        return f"DiskStore({self.path!r})"

    # ---- opening --------------------------------------------------------------------------------------------------

    def _open(self, log: RawFile, num_rows: int | None, width: int | None) -> None:
        if not os.path.exists(self.path):
            if num_rows is None or width is None:
                raise ValueError(f"{self.path}: there is no such file; num_rows and width are needed to make it")
            self._make(log, whole("num_rows", num_rows), whole("width", width))
        self._data = RawFile(self.path)
        size = self._data.size
        page = bytearray(min(size, HEADER_BYTES))
        if page:
            self._data.read_into(memoryview(page), 0)
        if size < HEADER_BYTES:
            raise ValueError(f"{self.path}: the file has {size} bytes; the header of a table alone has {HEADER_BYTES}")
        self._header, digest = unpack(bytes(page), self.path)
        check_alike(self._header, digest, self.path, num_rows, width, self._first.text if self._first else None)
        if size != self._header.file_bytes:
            raise ValueError(f"{self.path}: the file has {size:,} bytes; {self._header.num_rows:,} rows of "
                             f"{self._header.slot_bytes} bytes and the header make {self._header.file_bytes:,}: it was "
                             f"cut off or changed")
        self._note_count, self.steps = newest_note(page)
        self._steps_kept = self.steps
        self._journal = Journal(log, self._header)

    def _make(self, log: RawFile, num_rows: int, width: int) -> None:
        """Aside, then renamed: a kill leaves no file or a whole one. A journal without a table is of no table."""
        if log.size:
            log.truncate(0)
        header = Header(num_rows, width, self._first.text, secrets.randbits(63))
        aside = RawFile(f"{self.path}.new", create=True)
        try:
            aside.truncate(0)
            aside.truncate(header.file_bytes)
            aside.write(memoryview(header.pack()), 0)
            aside.sync()
        finally:
            aside.close()
        RawFile.system.replace(f"{self.path}.new", self.path)
        sync_folder(self.path)

    def _recover(self) -> None:
        self.recovered = 0
        for ids, slots, steps in self._journal.batches():
            if len(ids):                            # else a flush of steps alone
                self._write_in_place(ids, slots)
            self.recovered, self.steps = self.recovered + len(ids), steps
        self._empty_journal()

    # ---- reading --------------------------------------------------------------------------------------------------

    def _read(self, ids, out):
        with self._lock:
            places, batches = self._pending.find(ids), self._batches
            here = (places >= 0).nonzero()[0]
            if here.size:
                out[here] = self._pending.rows(places[here]).view(np.float32)[:, :self.width]
        there = (places < 0).nonzero()[0] if here.size else np.arange(len(ids))
        damaged = None
        try:
            self._read_disk(ids, there, out)        # without the lock: another thread may go on
        except ValueError as error:
            damaged = error
        with self._lock:
            if self._batches == batches:
                if damaged:
                    raise damaged
            else:                                   # rows left for the disk meanwhile: read again while none do
                places = self._pending.find(ids)
                out[places >= 0] = self._pending.rows(places[places >= 0]).view(np.float32)[:, :self.width]
                self._read_disk(ids, (places < 0).nonzero()[0], out)

    def _read_disk(self, ids: np.ndarray, at: np.ndarray, out: np.ndarray) -> None:
        """Fill out[at] with the rows ids[at] as the file has them."""
        in_order = at[np.argsort(ids[at], kind="stable")] if at.size > 1 else at
        for lo in range(0, len(in_order), self._scratch):
            some = in_order[lo:lo + self._scratch]
            wanted = ids[some]
            slots = self._read_slots(wanted)
            checks = slots[:, -1]
            fresh = (checks == 0).nonzero()[0]
            wrong = ((checks != self._checks.of(wanted, slots)) & (checks != 0)).nonzero()[0]
            if fresh.size:
                wrong = np.concatenate([wrong, fresh[slots[fresh].any(axis=1)]])
            if wrong.size:
                raise ValueError(f"{self.path}: row {wanted[wrong[0]]} is damaged: its checksum is wrong ({wrong.size} "
                                 f"of {len(wanted)} rows read); is {self.path}.log the one that belongs to it?")
            out[some] = slots.view(np.float32)[:, :self.width]
            if fresh.size:
                out[some[fresh]] = self._first.rows(wanted[fresh])

    def _read_slots(self, ids: np.ndarray) -> np.ndarray:
        """The slots of ascending ids, (n, words); neighbours by one pread."""
        slots = np.empty((len(ids), self._header.words), np.uint64)
        view, size, read = memoryview(slots).cast("B"), self._header.slot_bytes, self._data.read_into
        starts, ends = runs(ids)
        for first, lo, hi in zip((ids[starts] * size + HEADER_BYTES).tolist(), (starts * size).tolist(),
                                 (ends * size).tolist()):
            read(view[lo:hi], first)
        self.read_calls += len(starts)
        return slots

    # ---- writing --------------------------------------------------------------------------------------------------

    def _write(self, ids, rows):
        with self._lock:
            places = self._pending.find(ids)
            here = places >= 0
            if here.any():
                self._pending.replace(places[here], rows[here])
                ids, rows = ids[~here], rows[~here]
            done = 0
            while done < len(ids):
                room = self._pending.capacity - len(self._pending)
                if not room:
                    self._send_batch()
                    continue
                self._pending.add(ids[done:done + room], rows[done:done + room])
                done += room

    def _send_batch(self) -> None:
        """Pending rows into the journal, then in place; they are pending until both are done."""
        pending, kept = self._pending, self.steps
        self._journal.append(pending.ids, (self._checked(*block) for block in pending.blocks()), kept)
        self._batches += 1
        for ids, slots in pending.blocks():
            self._write_in_place(ids, self._checked(ids, slots))
        pending.clear()
        self._steps_kept = kept
        if self._journal.end >= self.log_bytes:
            self._empty_journal()

    def _checked(self, ids: np.ndarray, slots: np.ndarray) -> np.ndarray:
        slots[:, -1] = self._checks.of(ids, slots)
        return slots

    def _write_in_place(self, ids: np.ndarray, slots: np.ndarray) -> None:
        view, size = memoryview(slots).cast("B"), self._header.slot_bytes
        starts, ends = runs(ids)
        for first, lo, hi in zip((ids[starts] * size + HEADER_BYTES).tolist(), (starts * size).tolist(),
                                 (ends * size).tolist()):
            self._data.write(view[lo:hi], first)
        self.write_calls += len(starts)

    def _empty_journal(self) -> None:
        """Only once the file has all that is in it. The note goes into the older of its two places."""
        if self._journal.file.size or self._steps_kept != self.steps:
            self._data.write(memoryview(pack_note(self._note_count + 1, self.steps)),
                             NOTES_AT[(self._note_count + 1) % 2])
            self._data.sync()
            self._note_count, self._steps_kept = self._note_count + 1, self.steps
        self._journal.clear()

    def _flush(self):
        with self._lock:
            if len(self._pending) or self._steps_kept != self.steps:
                self._send_batch()

    def close(self):
        with self._lock:
            if not self._closed:
                self._flush()
                self._empty_journal()
                self._release()
                self._closed = True

    def _release(self):
        self._data.close()
        self._journal.file.close()


def runs(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(starts, ends) of the stretches of ascending ids (n,) in which each is one more than the one before."""
    cuts = (np.diff(ids) != 1).nonzero()[0] + 1
    return np.concatenate([[0], cuts]).astype(np.int64), np.append(cuts, len(ids)).astype(np.int64)
