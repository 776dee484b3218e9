"""The worker: pushes and pulls rows by key, whichever servers hold them.

    pull(keys 7 2 7 5) ──distinct──> 2 5 7 ──partition──> server 0: 2     server 1: 5 7
    wait ── rows for 7 2 7 5 <──expand── rows of 2 5 7 <──────── row 2 ─────────── rows 5 7

Equal keys travel once in each direction: their gradients are summed before they leave, their row is copied when it
arrives. A range of keys travels without a list of keys. The letters themselves are described in server.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch

from pslab.comm import Comm, Mail

from .keys import as_keys, as_vals, distinct, sum_equal
from .pulls import PendingPull, target_of
from .tables import TableConfig, check_tables

_COUNTS = ("inits", "pulls", "pushes", "keys_out_bytes", "vals_out_bytes", "vals_in_bytes")


class KVWorker:
    """One worker's door to the tables on `servers` (ranks of comm, in the order of their index).

    `tables` is the list that the servers were given. `incarnation` rises when a worker starts again under its rank, so
    that letters of its former life are told from new ones. The worker reads all mail of its comm. In a `with` block,
    goodbye() is said at the end of it.
    """

    def __init__(self, comm: Comm, servers: Sequence[int], tables: Sequence[TableConfig], incarnation: int = 0):
        self.comm, self.servers, self.incarnation = comm, list(servers), incarnation
        if not self.servers or len(set(self.servers)) != len(self.servers):
            raise ValueError(f"servers={self.servers}; at least one rank, each once, is needed")
        self._tables = {table.name: (number, table, table.partition.bind(table.num_rows, len(self.servers)))
                        for number, table in enumerate(check_tables(tables))}
        self._stats = {name: dict.fromkeys(_COUNTS, 0) for name in self._tables}
        self._staleness = min(table.consistency.staleness for _, table, _ in self._tables.values())
        self._clock, self._min_clock, self._closed = 0, 0, False
        self._last, self._taken = 0, deque(maxlen=1024)         # timestamps: the last given, pulls handed out
        self._numbers = {(server, kind): 0 for server in self.servers for kind in ("ack", "rows")}
        self._expected: dict[tuple[int, str, int], tuple[int, str, slice]] = {}  # (server, kind, q) -> ...
        self._unacknowledged: dict[int, int] = {}               # timestamp of a push -> acknowledgements missing
        self._pulls: dict[int, PendingPull] = {}
        self._byes = 0

    # ---- requests -------------------------------------------------------------------------------------------------

    def init(self, table: str, keys, vals) -> None:
        """Set rows, at once and whatever they were; returns when every server concerned has them.

        keys (n,) distinct, or a range; vals (n, dim) float32. Call it at clock 0, before any push: either every
        worker with the same values, or one worker while the others wait (for its clock, or in a barrier).
        """
        number, config, partition = self._table(table)
        keys = as_keys(keys, config.num_rows, table)
        vals = as_vals(vals, len(keys), config.dim, table)
        if not isinstance(keys, range):
            in_order, vals = sum_equal(keys, vals)
            if len(in_order) < len(keys):
                raise ValueError(f"table {table!r}: keys holds {len(keys) - len(in_order)} keys twice; "
                                 f"init sets each row once")
            keys = in_order
        self._stats[table]["inits"] += 1
        timestamp = self._write("init", table, number, partition, keys, vals, {})
        self.wait(timestamp)

    def push(self, keys, vals, table: str = "default") -> int:
        """Send gradients for rows; gives a timestamp for `wait`. It belongs to the round of this worker's clock.

        keys: (n,) integers in any order, or a range or slice of contiguous keys; the rows of equal keys are summed.
        vals: (n, dim) float32; may be changed as soon as push returns. NaN is not looked for: it spoils its rows.
        """
        number, config, partition = self._table(table)
        keys = as_keys(keys, config.num_rows, table)
        vals = as_vals(vals, len(keys), config.dim, table)
        if not isinstance(keys, range):
            keys, vals = sum_equal(keys, vals)
        self._stats[table]["pushes"] += 1
        return self._write("push", table, number, partition, keys, vals, {"c": self._clock})

    def pull(self, keys, table: str = "default", out=None) -> int:
        """Ask for rows; gives a timestamp, for which `wait` returns them.

        keys: (n,) integers in any order, repeated ones too, or a range or slice of contiguous keys.
        out: a contiguous (n, dim) float32 tensor or array to write the rows into; leave it alone until `wait`.
        """
        number, config, partition = self._table(table)
        keys = as_keys(keys, config.num_rows, table)
        shape = (len(keys), config.dim)
        target = None if out is None else target_of(out, shape, table)
        inverse = None
        if not isinstance(keys, range):
            keys, inverse = distinct(keys)
        pieces = partition.split(keys)
        self._last += 1
        self._stats[table]["pulls"] += 1
        self._pulls[self._last] = PendingPull(shape, len(keys), inverse, out, target, len(pieces))
        for server, at in pieces:
            meta = {"t": number, "q": self._expect(server, "rows", table, at), "c": self._clock}
            self._post(server, "pull", table, meta, keys[at], [])
        return self._last

    def wait(self, timestamp: int, timeout_s: float | None = None) -> torch.Tensor | None:
        """Wait for a request. A pull's rows, (n, dim) in the order of its keys (or the `out` given); None for a push.

        A pull is handed out once. TimeoutError when timeout_s passed first: the request goes on, wait again.
        """
        if isinstance(timestamp, bool) or not isinstance(timestamp, int) or not 1 <= timestamp <= self._last:
            known = f"so far 1..{self._last} were given" if self._last else "none was given yet"
            raise ValueError(f"timestamp={timestamp!r} is unknown; {known}")
        pull = self._pulls.get(timestamp)
        if pull is None:
            if timestamp in self._taken:
                raise ValueError(f"timestamp={timestamp}: the rows of this pull were handed out (or refused) before")
            self._until(lambda: timestamp not in self._unacknowledged, timeout_s, f"timestamp {timestamp}")
            return None
        self._until(lambda: not pull.missing, timeout_s, f"timestamp {timestamp}")
        del self._pulls[timestamp]
        self._taken.append(timestamp)
        return pull.rows()

    def clock(self) -> int:
        """End this worker's round; gives its new clock.

        Waits until its own pushes are acknowledged, then until no worker is more than the staleness behind (BSP: 0).
        """
        self._check_open()
        self._until(lambda: not self._unacknowledged, None, "acknowledgements")
        self._clock += 1
        for server in self.servers:
            self.comm.post(server, "clock", {"c": self._clock})
        self._until(lambda: self._min_clock >= self._clock - self._staleness, None, "clocks of the other workers")
        return self._clock

    def goodbye(self) -> None:
        """Leave: wait for all own requests, tell every server, wait for its answer. Further requests are refused.

        Pushes since the last clock() still count, in the round they are stamped with.
        """
        if self._closed:
            return
        self._until(lambda: not self._expected, None, "answers to its last requests")
        self._closed = True
        for server in self.servers:
            self.comm.post(server, "bye")
        self._until(lambda: self._byes == len(self.servers), None, "the servers' goodbye")

    close = goodbye

    @property
    def current_clock(self) -> int:
        """The number of clock() calls that returned or wait: what the next push is stamped with."""
        return self._clock

    def stats(self) -> dict[str, dict[str, int]]:
        """By table: requests made, and payload bytes that this worker sent and received (no headers)."""
        return {name: dict(counts) for name, counts in self._stats.items()}

    def __enter__(self) -> KVWorker:
        return self

    def __exit__(self, error_type, *_) -> None:
        if error_type is None:
            self.goodbye()

    # ---- sending --------------------------------------------------------------------------------------------------

    def _write(self, kind: str, table: str, number: int, partition, keys, vals: np.ndarray, meta: dict) -> int:
        pieces = partition.split(keys)
        self._last += 1
        if pieces:
            self._unacknowledged[self._last] = len(pieces)
        for server, at in pieces:
            more = {"t": number, "q": self._expect(server, "ack", table, at), "n": self.incarnation, **meta}
            self._post(server, kind, table, more, keys[at], [vals[at]])
        return self._last

    def _expect(self, server: int, kind: str, table: str, at: slice) -> int:
        """Number the next request to a server and note what its answer belongs to."""
        rank = self.servers[server]
        self._numbers[rank, kind] = number = self._numbers[rank, kind] + 1
        self._expected[rank, kind, number] = self._last, table, at
        return number

    def _post(self, server: int, kind: str, table: str, meta: dict, keys, tensors: list) -> None:
        counts = self._stats[table]
        counts["vals_out_bytes"] += sum(tensor.nbytes for tensor in tensors)
        if isinstance(keys, range):
            meta["r"] = [keys.start, len(keys)]
        else:
            counts["keys_out_bytes"] += keys.nbytes
            tensors = [keys, *tensors]
        self.comm.post(self.servers[server], kind, meta, tensors)

    # ---- receiving ------------------------------------------------------------------------------------------------

    def _until(self, reached, timeout_s: float | None, what: str) -> None:
        deadline_s = None if timeout_s is None else self.comm.now() + timeout_s
        while not reached():
            mail = self.comm.poll(None if deadline_s is None else max(0.0, deadline_s - self.comm.now()))
            if mail is not None:
                self._take(mail)
            elif deadline_s is not None and self.comm.now() >= deadline_s:
                raise TimeoutError(f"worker {self.comm.rank} waited {timeout_s} s for {what}")

    def _take(self, mail: Mail) -> None:
        if mail.kind == "min":
            self._min_clock = max(self._min_clock, mail.meta["c"])
        elif mail.kind == "bye":
            self._byes += 1
        elif mail.kind == "error":
            self._drop(mail)
            raise ValueError(mail.meta["w"])
        elif mail.kind in ("ack", "rows"):
            timestamp, table, at = self._expected.pop((mail.src, mail.kind, mail.meta["q"]), (0, "", None))
            if mail.kind == "ack":
                self._acknowledge(timestamp)
            elif timestamp:
                self._stats[table]["vals_in_bytes"] += mail.tensors[0].nbytes
                if timestamp in self._pulls:
                    self._pulls[timestamp].land(at, mail.tensors[0])
        else:
            raise ValueError(f"worker {self.comm.rank} got mail of kind {mail.kind!r} from rank {mail.src}, "
                             f"which no server sends; mail of another program needs a comm of its own (split)")

    def _acknowledge(self, timestamp: int) -> None:
        missing = self._unacknowledged.pop(timestamp, 1) - 1
        if missing:
            self._unacknowledged[timestamp] = missing

    def _drop(self, mail: Mail) -> None:
        """Forget a request that a server refused, so that nobody waits for it."""
        kind = "rows" if mail.meta["k"] == "pull" else "ack"
        timestamp, *_ = self._expected.pop((mail.src, kind, mail.meta["q"]), (0, "", None))
        if self._pulls.pop(timestamp, None):
            self._taken.append(timestamp)
        self._acknowledge(timestamp)

    # ---- checks ---------------------------------------------------------------------------------------------------

    def _table(self, name: str):
        self._check_open()
        if name not in self._tables:
            raise ValueError(f"table={name!r} is unknown; allowed: {', '.join(map(repr, self._tables))}")
        return self._tables[name]

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"worker {self.comm.rank} said goodbye; it can only wait for earlier pulls")
