"""The notice board: what each rank is doing and has sent, in memory that the caller can read at any time.

    counts[src, dst, kind]  sent[src, dst]     the ledger, written by src; it outlives a killed rank
    tensors_out / tensors_in [src, dst]        what was sent and never received, at the end of a run
    rank r: state, progress, since, peer, pages     what it waits for, and its log of collective calls (see `agree`),
                                                    written when it has waited for a while, and when it has finished
"""

from __future__ import annotations

import mmap
import os
import time

import msgpack
import numpy as np

from ..errors import Wait, stopped_wait
from ..ledger import KINDS, Ledger

RUNNING, IDLE, BLOCKED, DONE = 0, 1, 2, 3     # IDLE: running since a poll that timed out, so not seen to progress
# EDITION: odd while pages are written; BEGAN_US: when the rank began with this run
STATE, PROGRESS, SINCE_US, PEER, EDITION, WAIT_BYTES, CALLS_BYTES, BEGAN_US = range(8)
_FIELDS, _WAIT_ROOM, _CALLS_ROOM = 8, 4096, 12288
_PAGES = _WAIT_ROOM + _CALLS_ROOM
NOBODY: dict[int, int] = {}
BETWEEN_POLLS_S = 0.2                         # who stays away longer after a poll in vain is computing


class Board:
    """One world's board over an anonymous file."""

    def __init__(self, descriptor: int, world_size: int):
        k = self.world_size = world_size
        cube, square = k * k * len(KINDS), k * k
        words = cube + 3 * square + k * _FIELDS
        size = words * 8 + k * _PAGES
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        self._map = mmap.mmap(descriptor, size)
        whole = np.frombuffer(self._map, np.int64, words)
        self.counts = whole[:cube].reshape(k, k, len(KINDS))
        self.sent, self.tensors_out, self.tensors_in = whole[cube:cube + 3 * square].reshape(3, k, k)
        self.fields = whole[cube + 3 * square:].reshape(k, _FIELDS)
        self._pages = np.frombuffer(self._map, np.uint8, k * _PAGES, words * 8).reshape(k, _PAGES)

    def clear(self) -> None:
        for part in (self.counts, self.sent, self.tensors_out, self.tensors_in, self.fields):
            part[:] = 0

    # ---- the rank's side ----

    def row(self, rank: int) -> memoryview:
        """The rank's own fields as a memoryview: writing one takes 40 ns."""
        return memoryview(self.fields[rank])

    def began_s(self) -> float:
        """When the first rank began, as far as known; to whole microseconds, rounded down."""
        began_us = self.fields[:, BEGAN_US]
        return int(began_us[began_us > 0].min()) / 1e6

    def blocked(self, rank: int, since_s: float, wait: Wait, calls: list) -> None:
        """The rank waits; `calls` is what it has `agree.told`."""
        row = self.fields[rank]
        row[SINCE_US], row[PEER] = int(since_s * 1e6), -1 if wait.peer is None else wait.peer
        self._write(rank, [wait.call[:500], wait.where[:200], wait.note[:300], wait.inside], calls)
        row[STATE] = BLOCKED

    def done(self, rank: int, calls: list) -> None:
        self._write(rank, None, calls)
        self.fields[rank, STATE] = DONE

    def _write(self, rank: int, wait: list | None, calls: list) -> None:
        first, row = msgpack.packb(wait), self.fields[rank]
        second = msgpack.packb(calls)
        while len(second) > _CALLS_ROOM:                    # the oldest calls are the first to go
            calls = [[group, members, made, log[len(log) // 2 + 1:]] for group, members, made, log in calls]
            calls = calls if any(log for *_, log in calls) else calls[len(calls) // 2 + 1:]
            second = msgpack.packb(calls)
        row[EDITION] += 1
        for at, data in ((0, first), (_WAIT_ROOM, second)):
            self._pages[rank, at:at + len(data)] = np.frombuffer(data, np.uint8)
        row[WAIT_BYTES], row[CALLS_BYTES] = len(first), len(second)
        row[EDITION] += 1

    # ---- the caller's side ----

    def ledger(self) -> Ledger:
        return Ledger(self.world_size, self.counts.copy(), self.sent.copy())

    def progress(self) -> int:
        return int(self.fields[:, PROGRESS].sum())

    def can_move(self, stopped: dict[int, int] = NOBODY) -> bool:
        """Whether some rank is at work: not waiting, not merely between two polls that found nothing, not stopped."""
        state = self.fields[:, STATE]
        since_s = time.monotonic() - self.fields[:, SINCE_US] / 1e6
        at_work = (state == RUNNING) | ((state == IDLE) & (since_s > BETWEEN_POLLS_S))
        at_work[list(stopped)] = False
        return bool(at_work.any())

    def all_done(self) -> bool:
        return bool((self.fields[:, STATE] == DONE).all())

    def news(self) -> int:
        """Another number whenever a rank that waits has written its pages; 0 while none waits."""
        return int(self.fields[:, EDITION].sum()) if (self.fields[:, STATE] == BLOCKED).any() else 0

    def waits(self, stopped: dict[int, int] = NOBODY) -> list[Wait]:
        """A row for every rank; `stopped`: the signal that stopped a rank's process."""
        rows = [self._wait(rank) for rank in range(self.world_size)]
        for rank, signal in stopped.items():
            rows[rank] = stopped_wait(rows[rank], signal)
        return rows

    def said(self) -> dict[int, list]:
        """What every rank has told of its collective calls (see `agree`)."""
        return {rank: self._read(rank, _WAIT_ROOM, CALLS_BYTES) or [] for rank in range(self.world_size)}

    def _wait(self, rank: int) -> Wait:
        row = self.fields[rank]
        if row[STATE] != BLOCKED:
            return Wait(rank, "finished" if row[STATE] == DONE else "computing")
        call, where, note, inside = self._read(rank, 0, WAIT_BYTES) or ["waiting", "", "", None]
        peer = None if row[PEER] < 0 else int(row[PEER])
        return Wait(rank, call, peer, time.monotonic() - row[SINCE_US] / 1e6, where, note, inside and tuple(inside))

    def _read(self, rank: int, at: int, length: int):
        """A page, or None while it is being written (for ever, where its writer was stopped meanwhile)."""
        row = self.fields[rank]
        edition = row[EDITION]
        data = self._pages[rank, at:at + row[length]].tobytes()
        if not data or edition % 2 or edition != row[EDITION]:
            return None
        return msgpack.unpackb(data)

    def undelivered(self) -> list[str]:
        """One sentence for each pair of ranks with tensors that were sent and never received."""
        missing = self.tensors_out - self.tensors_in
        return [f"rank {src} to rank {dst}: {missing[src, dst]} of its tensors"
                for src, dst in zip(*np.nonzero(missing), strict=True)]
