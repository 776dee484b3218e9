"""The notice board: what each rank is doing and has sent, in memory that the caller can read at any time.

    counts[src, dst, kind]  sent[src, dst]     the ledger, written by src; it outlives a killed rank
    tensors_out / tensors_in [src, dst]        what was sent and never received, at the end of a run
    rank r: state, progress, since, peer, text what it waits for, for the table of a stall
"""

from __future__ import annotations

import mmap
import os
import time

import numpy as np

from ..errors import Wait
from ..ledger import KINDS, Ledger

RUNNING, IDLE, BLOCKED, DONE = 0, 1, 2, 3     # IDLE: running since a poll that timed out, so not seen to progress
STATE, PROGRESS, SINCE_US, PEER, TEXT_BYTES = range(5)
_FIELDS, _TEXT = 8, 768
BETWEEN_POLLS_S = 0.2                         # who stays away longer after a poll in vain is computing


class Board:
    """One world's board over an anonymous file."""

    def __init__(self, descriptor: int, world_size: int):
        k = self.world_size = world_size
        cube, square = k * k * len(KINDS), k * k
        words = cube + 3 * square + k * _FIELDS
        size = words * 8 + k * _TEXT
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        self._map = mmap.mmap(descriptor, size)
        whole = np.frombuffer(self._map, np.int64, words)
        self.counts = whole[:cube].reshape(k, k, len(KINDS))
        self.sent, self.tensors_out, self.tensors_in = whole[cube:cube + 3 * square].reshape(3, k, k)
        self.fields = whole[cube + 3 * square:].reshape(k, _FIELDS)
        self._text = np.frombuffer(self._map, np.uint8, k * _TEXT, words * 8).reshape(k, _TEXT)

    def clear(self) -> None:
        for part in (self.counts, self.sent, self.tensors_out, self.tensors_in, self.fields):
            part[:] = 0

    # ---- the rank's side ----

    def row(self, rank: int) -> memoryview:
        """The rank's own fields as a memoryview: writing one takes 40 ns."""
        return memoryview(self.fields[rank])

    def blocked(self, rank: int, since_s: float, peer: int | None, text: str) -> None:
        data = text.encode()[:_TEXT]
        self._text[rank, :len(data)] = np.frombuffer(data, np.uint8)
        row = self.fields[rank]
        row[TEXT_BYTES], row[SINCE_US], row[PEER] = len(data), int(since_s * 1e6), -1 if peer is None else peer
        row[STATE] = BLOCKED

    # ---- the caller's side ----

    def ledger(self) -> Ledger:
        return Ledger(self.world_size, self.counts.copy(), self.sent.copy())

    def progress(self) -> int:
        return int(self.fields[:, PROGRESS].sum())

    def can_move(self) -> bool:
        """Whether some rank is at work: not waiting, and not merely between two polls that found nothing."""
        state = self.fields[:, STATE]
        since_s = time.monotonic() - self.fields[:, SINCE_US] / 1e6
        return bool(((state == RUNNING) | ((state == IDLE) & (since_s > BETWEEN_POLLS_S))).any())

    def all_done(self) -> bool:
        return bool((self.fields[:, STATE] == DONE).all())

    def waits(self) -> list[Wait]:
        now_s, rows = time.monotonic(), []
        for rank, row in enumerate(self.fields):
            state = int(row[STATE])
            if state == BLOCKED:
                text = self._text[rank, :row[TEXT_BYTES]].tobytes().decode(errors="replace")
                call, where, note = [*text.split("\0"), "", ""][:3]
                peer = None if row[PEER] < 0 else int(row[PEER])
                rows.append(Wait(rank, call, peer, now_s - row[SINCE_US] / 1e6, where, note))
            else:
                rows.append(Wait(rank, "finished" if state == DONE else "computing"))
        return rows

    def undelivered(self) -> list[str]:
        """One sentence for each pair of ranks with tensors that were sent and never received."""
        missing = self.tensors_out - self.tensors_in
        return [f"rank {src} to rank {dst}: {missing[src, dst]} of its tensors"
                for src, dst in zip(*np.nonzero(missing), strict=True)]
