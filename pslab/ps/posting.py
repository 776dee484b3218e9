"""A request on its way out: cut by the partition, one letter for each server concerned, what it costs counted.

    keys 2 5 7 ──partition──> server 0: [2]     ──letter {t q c ...} keys vals──>
                              server 1: [5, 7]  ──letter──>
    window = w: at most w requests may lack an answer; the next one first waits until one of them has it
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pslab.comm import Comm

from .dtypes import stored, to_wire
from .inbox import Inbox
from .keys import distinct, distinct_unsorted, take_keys
from .partition import Partition
from .retry import Outbox
from .tables import TableConfig

COUNTS = ("inits", "sets", "pulls", "pushes", "keys_out_bytes", "keys_in_bytes", "vals_out_bytes", "vals_in_bytes")


_MANY = 256                     # from so many keys on, a pull's are told apart without sorting them
_SCRATCH_ROWS = 1 << 22         # in tables of at most so many rows: it takes 4 bytes a row


class Table(NamedTuple):
    """A table as a worker sees it: its number in letters, and its partition over the servers there are."""

    number: int
    config: TableConfig
    partition: Partition


class Poster:
    """One worker's requests: gives them timestamps 1, 2, 3, ... and posts their letters."""

    def __init__(self, comm: Comm, servers: list[int], incarnation: int, outbox: Outbox, inbox: Inbox, counts: dict,
                 window: int | None):
        self.comm, self.servers, self.incarnation, self.window = comm, servers, incarnation, window
        self.outbox, self.inbox, self.counts = outbox, inbox, counts
        self.last = 0                                           # the last timestamp given
        self._scratch: dict[str, np.ndarray] = {}

    def distinct(self, table: Table, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """As keys.distinct, for a pull; in no order where one server has all keys, so that none is needed.

        A filter knows lists of keys again, so through filters pulls and pushes bring them in the same order.
        """
        num_rows, filtered = table.config.num_rows, self.outbox.comm is not self.comm
        if filtered or len(self.servers) > 1 or num_rows is None or num_rows > _SCRATCH_ROWS or len(keys) < _MANY:
            return distinct(keys)
        if table.config.name not in self._scratch:
            self._scratch[table.config.name] = np.empty(num_rows, np.int32)
        return distinct_unsorted(keys, self._scratch[table.config.name])

    def begin(self) -> int:
        """A new timestamp, as soon as the window has room."""
        if self.window is not None:
            self.inbox.until(lambda: len(self.inbox.open) < self.window, None, "a place in its window")
        self.last += 1
        return self.last

    def write(self, kind: str, table: Table, keys: np.ndarray | range, vals: np.ndarray, meta: dict,
              give: bool = False) -> int:
        """Post a push, init or set; keys distinct and ascending (or a range), vals (n, dim) float32.

        give: keys and vals are in nobody else's hands.
        """
        timestamp, pieces = self.begin(), table.partition.split(keys)
        self._expect(timestamp, table, len(pieces), is_write=True)
        dtype = table.config.dtype
        if self.inbox.recorder is not None:
            self.inbox.recorder.asked(timestamp, kind, table.config.name, self.inbox.clock, keys, vals)
        for server, at in pieces:
            more = {"t": table.number, "n": self.incarnation, **meta}
            self._ask(timestamp, table, server, "ack", kind, at, more, take_keys(keys, at), [stored(vals[at], dtype)],
                      give)
        return timestamp

    def pull(self, table: Table, pull, pieces: list) -> int:
        """Post a pull's pieces: (server, which rows of it, keys, stamps) each."""
        timestamp = self.begin()
        self.inbox.pulls[timestamp] = pull
        self._expect(timestamp, table, len(pieces))
        if self.inbox.recorder is not None:
            self.inbox.recorder.asked_pull(timestamp, table.config.name, self.inbox.clock, pull, pieces)
        for server, at, wanted, stamps in pieces:
            meta = {"t": table.number, "c": self.inbox.clock, **self._after_writes(server, table.config)}
            if self.incarnation:
                meta["n"] = self.incarnation
            self._ask(timestamp, table, server, "rows", "pull", at, meta, wanted, stamps)
        return timestamp

    def pushpull(self, table: Table, pull, keys: np.ndarray | range, vals: np.ndarray, pieces: list,
                 give: bool = False) -> int:
        """Post pushes whose answers are rows; pieces: (server, which rows) each."""
        timestamp = self.begin()
        self.inbox.pulls[timestamp] = pull
        self._expect(timestamp, table, len(pieces), is_write=True)
        if self.inbox.recorder is not None:
            self.inbox.recorder.asked(timestamp, "push", table.config.name, self.inbox.clock, keys, vals)
            wanted = [(server, at, take_keys(keys, at), []) for server, at in pieces]
            self.inbox.recorder.asked_pull(timestamp, table.config.name, self.inbox.clock, pull, wanted)
        for server, at in pieces:
            meta = {"t": table.number, "n": self.incarnation, "c": self.inbox.clock,
                    **self._after_writes(server, table.config)}
            self._ask(timestamp, table, server, "ack", "pushpull", at, meta, take_keys(keys, at),
                      [stored(vals[at], table.config.dtype)], give)
        return timestamp

    def _expect(self, timestamp: int, table: Table, answers: int, is_write: bool = False) -> None:
        if answers:
            self.inbox.open[timestamp] = answers
            delay = table.config.consistency.delay
            if delay is not None:
                self.inbox.due[timestamp] = self.inbox.clock + delay + 1
            if is_write:
                self.inbox.writes.add(timestamp)

    def _after_writes(self, server: int, config: TableConfig) -> dict:
        """Which of this worker's writes a pull must see, where letters may overtake each other."""
        if self.outbox.retry_s is None or not config.consistency.reads_own:
            return {}
        return {"w": self.outbox.last(self.servers[server], "ack")}

    def _ask(self, timestamp: int, table: Table, server: int, answer: str, kind: str, at, meta: dict, keys,
             tensors: list, give: bool = False) -> None:
        """Post a piece of a request to a server; at: which rows of it. tensors: vals, or a cached pull's stamps."""
        counts, rank, asked = self.counts[table.config.name], self.servers[server], keys
        if self.outbox.is_full(rank, answer):
            self.inbox.until(lambda: not self.outbox.is_full(rank, answer), None, "answers to earlier requests")
        counts["keys_out_bytes" if kind == "pull" else "vals_out_bytes"] += sum(tensor.nbytes for tensor in tensors)
        if kind != "pull":
            tensors = [to_wire(tensors[0], table.config.dtype)]
        if isinstance(keys, range):
            meta["r"] = [keys.start, len(keys)]
        else:
            counts["keys_out_bytes"] += keys.nbytes
            tensors = [keys, *tensors]
        self.outbox.ask(rank, answer, (timestamp, table.config.name, at), kind, meta, tensors, give)
        if self.inbox.recorder is not None:
            self.inbox.recorder.sent(timestamp, rank, self.incarnation, meta["q"], asked)
