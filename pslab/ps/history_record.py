"""The recording of a run: operations at the workers, logs at the servers, brought together. See history.py.

    rank 0   Recorder ── part() ──┐
    rank 1   Recorder ── part() ──┼──> History.of(results): every operation, and what each pull saw
    rank 2   ServerLog ─ part() ──┘
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from .history_marks import Marks
from .history_ops import WRITES, Op, from_plain, to_plain


class Recorder:
    """A worker's side. Hand it to KVWorker, or call begin and end around each operation of another worker.

    marks: read what pulls saw from their rows; one Marks for all tables, or {table: Marks}. values: keep the values
    pushed and pulled as well, for `check_sequential`. worker, now: of a worker that is no KVWorker.
    """

    def __init__(self, marks: Marks | dict[str, Marks] | None = None, values: bool = False, worker: int = 0, now=None):
        self.marks, self.values, self.worker, self.now = marks, values, worker, now
        self.may_overtake = False                   # whether letters may overtake each other: then ASP promises less
        self._ops: list[Op] = []
        self._writes: Counter = Counter()
        self._asked: dict[int, list[Op]] = {}       # by timestamp: requests of a KVWorker

    def open(self, worker: int, now, may_overtake: bool, cached: bool) -> None:
        """What a KVWorker tells of itself."""
        if cached and self.marks is None:
            raise ValueError("cache_rows with a recorder without marks; what a cached row holds is known by marks only")
        self.worker, self.now, self.may_overtake = worker, now, may_overtake
        for op in (op for ops in self._asked.values() for op in ops):
            op.given_up_s = now()
        self._asked = {}                            # a worker that starts again counts its timestamps anew

    def next_number(self, table: str = "default") -> int:
        """The number of the next push or set to a table: what its marks are made from."""
        return self._writes[table]

    def begin(self, kind: str, clock: int, table: str = "", keys: Iterable[int] = (), vals=None) -> Op:
        """An operation begins now."""
        op = Op(kind, self.worker, int(clock), self.now(), None, table, tuple(int(key) for key in keys))
        if kind in WRITES:
            op.number = self._writes[table]
            self._writes[table] += 1
        if self.values and vals is not None:
            op.vals = np.array(vals, np.float32).tolist()
        self._ops.append(op)
        return op

    def end(self, op: Op, rows=None) -> None:
        """It ends now. rows: of a pull, (n, dim) in the order of its keys."""
        op.end_s = self.now()
        if op.kind == "pull" and rows is not None:
            self._saw(op, rows)

    def _saw(self, op: Op, rows) -> None:
        rows = np.asarray(rows.float() if isinstance(rows, torch.Tensor) else rows, np.float32)     # also of bfloat16
        marks = self.marks.get(op.table) if isinstance(self.marks, dict) else self.marks
        if self.values:
            op.vals = rows.tolist()
        if marks is None:
            return
        op.saw = {}
        for key, row in zip(op.keys, rows):
            try:
                op.saw[key] = marks.read(row)
            except ValueError as why:
                op.unread = f"key {key}: {why}"

    # ---- what a KVWorker calls, by the timestamps of its requests ---------------------------------------------------

    def asked(self, timestamp: int, kind: str, table: str, clock: int, keys, vals) -> None:
        """A push, set or init, about to be posted."""
        op = self.begin(kind, clock, table, keys, vals)
        if op.keys:
            self._asked.setdefault(timestamp, []).append(op)
        else:
            op.end_s = op.start_s                       # of no keys: nobody is asked

    def asked_pull(self, timestamp: int, table: str, clock: int, pull, pieces: list) -> None:
        """A pull, about to be posted; pieces: (server, which of the distinct rows, keys, stamps)."""
        distinct = getattr(pull, "keys", None)
        if distinct is None:
            distinct = np.empty(pull.num_distinct, np.int64)
            for _, at, keys, _ in pieces:
                distinct[at] = keys
        keys = distinct if pull.inverse is None else distinct[pull.inverse]
        op = self.begin("pull", clock, table, keys)
        self._asked.setdefault(timestamp, []).append(op)
        if not pieces:
            op.end_s = op.start_s                       # nobody is asked

    def sent(self, timestamp: int, server: int, life: int, number: int, keys) -> None:
        """One server was asked for some of the keys."""
        for op in self._asked[timestamp]:
            op.pieces.append([server, life, number, [int(key) for key in keys], None])

    def answered(self, timestamp: int, server: int, meta: dict) -> None:
        """Rows came. meta["h"]: how long the server's log was."""
        for op in self._asked.get(timestamp, ()):
            for piece in op.pieces:
                if op.kind == "pull" and piece[:3:2] == [server, meta["q"]]:
                    piece[4] = meta.get("h")

    def done(self, timestamp: int) -> None:
        """Every server concerned has answered."""
        for op in self._asked[timestamp]:
            op.end_s = self.now()
        if all(op.kind != "pull" for op in self._asked[timestamp]):
            del self._asked[timestamp]

    def read(self, timestamp: int, rows) -> None:
        """The rows of a pull were handed out, in the order of its keys."""
        for op in self._asked.pop(timestamp):
            if op.kind == "pull":
                self._saw(op, rows)

    def part(self) -> dict:
        """Everything recorded, to be returned by the rank."""
        return {"history": "worker", "worker": self.worker, "may_overtake": self.may_overtake,
                "ops": [to_plain(op) for op in self._ops]}


class ServerLog:
    """A server's side: which pushes and sets were applied, in which order. `length` goes out with every answer."""

    def __init__(self):
        self.rank, self._log, self._ranges = -1, [], {}

    @property
    def length(self) -> int:
        return len(self._log)

    def applied(self, table: str, kind: str, writes: Iterable[tuple[int, int, int]], bounds=None) -> None:
        """writes: (worker, incarnation, number among its requests to this server), applied as one step.

        bounds: (lo, hi) where only the keys lo <= key < hi of them were; None for either: no bound.
        """
        self._log.append([table, kind, [list(write) for write in writes], bounds and list(bounds)])

    def part(self, range_clocks: dict | None = None) -> dict:
        """The log, to be returned by the server's rank. range_clocks: {table: RangeClocks} that it kept."""
        ranges = {table: [[lo, hi, [list(item) for item in clock.items()]] for lo, hi, clock in clocks.ranges()]
                  for table, clocks in (range_clocks or {}).items()}
        return {"history": "server", "rank": self.rank, "log": self._log, "ranges": ranges}


@dataclass
class History:
    """All operations of a run. ops: those of each worker in the order of its program.

    final: table -> key -> the writes in the row when all was over; None where nobody looked. ranges: table ->
    [(lo, hi, {worker: clock})] of servers that kept clocks of ranges.
    """

    ops: list[Op]
    final: dict[str, dict[int, dict]] | None = None
    ranges: dict[str, list] = field(default_factory=dict)
    may_overtake: bool = False

    @property
    def workers(self) -> list[int]:
        return sorted({op.worker for op in self.ops})

    @property
    def tables(self) -> list[str]:
        return sorted({op.table for op in self.ops if op.table})

    def of_worker(self, worker: int) -> list[Op]:
        return [op for op in self.ops if op.worker == worker]

    @classmethod
    def of(cls, parts, final=None, marks: Marks | dict[str, Marks] | None = None) -> History:
        """Bring together what the ranks gave: Recorder.part(), ServerLog.part(), or results that hold such parts.

        final: {table: {key: row} or (R, dim) rows} at the end, to be read by `marks`; not needed where servers kept
        logs.
        """
        found = list(_parts(parts))
        workers = [part for part in found if part["history"] == "worker"]
        if not workers:
            raise ValueError("no worker's part of a history is among these results; return recorder.part() from ranks")
        history = cls([from_plain(plain) for part in workers for plain in part["ops"]],
                      may_overtake=any(part["may_overtake"] for part in workers))
        servers = [part for part in found if part["history"] == "server"]
        if servers:
            _read_logs(history, servers)
        if final is not None:
            history.final = {table: _read_rows(rows, marks[table] if isinstance(marks, dict) else marks)
                             for table, rows in final.items()}
        return history


def _read_rows(rows, marks: Marks) -> dict[int, dict]:
    items = rows.items() if isinstance(rows, dict) else enumerate(rows)
    final = {}
    for key, row in items:
        try:
            final[int(key)] = marks.read(row)
        except ValueError as why:
            final[int(key)] = {"unread": str(why)}
    return final


def _read_logs(history: History, servers: list[dict]) -> None:
    """Pulls' `saw` and the final state, from the servers' logs."""
    written = {(server, life, op.worker, number): (op, keys) for op in history.ops if op.kind in WRITES
               for server, life, number, keys, _ in op.pieces}
    applied = defaultdict(list)                             # (server, table, key) -> [(position, kind, write)]
    for part in servers:
        for position, (table, kind, writes, bounds) in enumerate(part["log"]):
            lo, hi = bounds or (None, None)
            for worker, life, number in writes:
                op, keys = written.get((part["rank"], life, worker, number), (None, ()))
                for key in keys:
                    if (lo is not None and key < lo) or (hi is not None and key >= hi):
                        continue
                    applied[part["rank"], table, key].append((position, kind, (worker, op.number)))
        for table, ranges in part["ranges"].items():
            history.ranges.setdefault(table, []).extend((lo, hi, dict(map(tuple, clock))) for lo, hi, clock in ranges)
    for op in history.ops:
        if op.kind == "pull" and op.saw is None and op.end_s is not None and all(p[4] is not None for p in op.pieces):
            op.saw = {key: _up_to(applied[server, op.table, key], length)
                      for server, _, _, keys, length in op.pieces for key in keys}
    history.final = {table: {} for table in history.tables}
    for (_, table, key), writes in applied.items():
        history.final[table][key] = _up_to(writes, len(writes) and writes[-1][0] + 1)


def _up_to(writes: list, length: int) -> dict:
    """The writes in a row after the first `length` entries of a log; a set leaves nothing of what was before."""
    seen = Counter()
    for position, kind, write in writes:
        if position >= length:
            break
        if kind == "set":
            seen.clear()
        seen[write] += 1
    return dict(seen)


def _parts(value):
    """The parts of histories within results: however deep in lists and dicts."""
    if isinstance(value, dict) and "history" in value:
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _parts(inner)
