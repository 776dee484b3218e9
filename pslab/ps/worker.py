"""The worker: pushes and pulls rows by key, whichever servers hold them.

    pull(keys 7 2 7 5) ──distinct──> 2 5 7 ──partition──> server 0: 2     server 1: 5 7
    wait ── rows for 7 2 7 5 <──expand── rows of 2 5 7 <──────── row 2 ─────────── rows 5 7

Equal keys travel once in each direction: their gradients are summed before they leave, their row is copied when it
arrives. A range of keys travels without a list of keys. The letters themselves are described in server.py, what happens
when they are lost in retry.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pslab.comm import Comm

from .cached import CachedTable
from .inbox import Inbox
from .keys import as_keys, as_vals, distinct, sum_equal
from .pulls import PendingPull, target_of
from .retry import Outbox
from .tables import TableConfig, check_tables
from .worker_rounds import WorkerRounds

_COUNTS = ("inits", "pulls", "pushes", "keys_out_bytes", "keys_in_bytes", "vals_out_bytes", "vals_in_bytes")


class KVWorker:
    """One worker's door to the tables on `servers` (ranks of comm, in the order of their index).

    `tables` is the list that the servers were given. The worker reads all mail of its comm. In a `with` block,
    goodbye() is said at the end of it.

    incarnation: rises when a worker starts again under its rank, so that letters of its former life are told from new
    ones; clock: the clock it goes on from then (servers refuse pushes of rounds that it had finished before).
    cache_rows: of each table, how many rows are kept here, the most recently used (see cached.py). Pulls of a range go
    past the cache.
    retry_s: None where no mail is lost or overtaken: processes, torch, a simulator without such faults (letters that
    come twice do no harm). Where it can be, give some round trips: what is unanswered after retry_s is sent again,
    then after 2, 4, ... 16 retry_s; the answer to clock() and goodbye() is waited for too, and TimeoutError says that a
    server is silent. A worker sends again only while it waits inside a call.

    Tables may differ in consistency. There is one clock a worker: clock() waits as the strictest table demands, so each
    table keeps its promise (a looser one next to BSP reads fresher rows than it must).
    """

    def __init__(self, comm: Comm, servers: Sequence[int], tables: Sequence[TableConfig], incarnation: int = 0, *,
                 clock: int = 0, cache_rows: int = 0, retry_s: float | None = None):
        self.comm, self.servers, self.incarnation = comm, list(servers), incarnation
        if not self.servers or len(set(self.servers)) != len(self.servers):
            raise ValueError(f"servers={self.servers}; at least one rank, each once, is needed")
        for argument, value in (("incarnation", incarnation), ("clock", clock), ("cache_rows", cache_rows)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{argument}={value!r}; a whole number from 0 is needed")
        self._tables = {table.name: (number, table, table.partition.bind(table.num_rows, len(self.servers)))
                        for number, table in enumerate(check_tables(tables))}
        self._stats = {name: dict.fromkeys(_COUNTS, 0) for name in self._tables}
        self._caches = {name: CachedTable(config, cache_rows) for name, (_, config, _) in self._tables.items()
                        if cache_rows}
        self._last, self._closed = 0, False                     # the last timestamp given
        self._outbox = Outbox(comm, retry_s)
        reporter = self.servers[comm.rank % len(self.servers)]  # it is asked how far the others are
        self._inbox = Inbox(comm, self._outbox, (table.consistency for _, table, _ in self._tables.values()),
                            incarnation, clock, reporter, self._stats)
        self._rounds = WorkerRounds(comm, self.servers, self._outbox, self._inbox)
        self._until = self._inbox.until

    # ---- requests -------------------------------------------------------------------------------------------------

    def init(self, table: str, keys, vals) -> None:
        """Set rows, at once and whatever they were; returns when every server concerned has them.

        keys (n,) distinct, or a range; vals (n, dim) float32. Call it at clock 0, before any push, and before others
        pull through a cache: either every worker with the same values, or one worker while the others wait (for its
        clock, or in a barrier).
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
        if table in self._caches:
            self._caches[table].assigned(keys)
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
        if table in self._caches:
            self._caches[table].pushed(keys, vals, self._inbox.clock)
        return self._write("push", table, number, partition, keys, vals, {"c": self._inbox.clock})

    def pull(self, keys, table: str = "default", out=None) -> int:
        """Ask for rows; gives a timestamp, for which `wait` returns them.

        keys: (n,) integers in any order, repeated ones too, or a range or slice of contiguous keys.
        out: a contiguous (n, dim) float32 tensor or array to write the rows into; leave it alone until `wait`.
        """
        number, config, partition = self._table(table)
        keys = as_keys(keys, config.num_rows, table)
        shape = (len(keys), config.dim)
        target = None if out is None else target_of(out, shape, table)
        self._stats[table]["pulls"] += 1
        self._last += 1
        if isinstance(keys, range) or table not in self._caches:
            keys, inverse = (keys, None) if isinstance(keys, range) else distinct(keys)
            pieces = [(server, at, keys[at], []) for server, at in partition.split(keys)]
            pull = PendingPull(shape, len(keys), inverse, out, target, len(pieces))
        else:
            pull = self._caches[table].pull(shape, *distinct(keys), out, target, self._inbox.clock)
            pieces = pull.pieces(partition)
        self._inbox.pulls[self._last] = pull
        for server, at, wanted, stamps in pieces:
            self._ask(server, "rows", "pull", table, at, self._pull_meta(server, number, config), wanted, stamps)
        return self._last

    def wait(self, timestamp: int, timeout_s: float | None = None) -> torch.Tensor | None:
        """Wait for a request. A pull's rows, (n, dim) in the order of its keys (or the `out` given); None for a push.

        A pull is handed out once. TimeoutError when timeout_s passed first: the request goes on, wait again.
        """
        if isinstance(timestamp, bool) or not isinstance(timestamp, int) or not 1 <= timestamp <= self._last:
            known = f"so far 1..{self._last} were given" if self._last else "none was given yet"
            raise ValueError(f"timestamp={timestamp!r} is unknown; {known}")
        pull = self._inbox.pulls.get(timestamp)
        if pull is None:
            if timestamp in self._inbox.taken:
                raise ValueError(f"timestamp={timestamp}: the rows of this pull were handed out (or refused) before")
            self._until(lambda: timestamp not in self._inbox.unacknowledged, timeout_s, f"timestamp {timestamp}")
            return None
        self._until(lambda: not pull.missing, timeout_s, f"timestamp {timestamp}")
        del self._inbox.pulls[timestamp]
        self._inbox.taken.append(timestamp)
        return pull.rows()

    def clock(self) -> int:
        """End this worker's round; gives its new clock.

        Waits until its own pushes are acknowledged, then until no worker is more than the staleness behind (BSP: 0).
        """
        self._check_open()
        return self._rounds.end_round()

    def goodbye(self) -> None:
        """Leave: wait for all own requests, tell every server, wait for its answer. Further requests are refused.

        Pushes since the last clock() still count, in the round they are stamped with.
        """
        if self._closed:
            return
        self._rounds.finish_requests()
        self._closed = True
        self._rounds.leave()

    close = goodbye

    @property
    def current_clock(self) -> int:
        """The number of clock() calls that returned or wait: what the next push is stamped with."""
        return self._inbox.clock

    def stats(self) -> dict[str, dict[str, int]]:
        """By table: requests made, and payload bytes that this worker sent and received (no headers)."""
        return {name: dict(counts) for name, counts in self._stats.items()}

    def cache_stats(self) -> dict[str, dict[str, int]]:
        """By table: what the cache did (see CachedTable); {} without one."""
        return {name: dict(cached.counts) for name, cached in self._caches.items()}

    @property
    def resent(self) -> int:
        """How many letters this worker sent again."""
        return self._outbox.resent

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
            self._inbox.unacknowledged[self._last] = len(pieces)
        for server, at in pieces:
            more = {"t": number, "n": self.incarnation, **meta}
            self._ask(server, "ack", kind, table, at, more, keys[at], [vals[at]])
        return self._last

    def _pull_meta(self, server: int, number: int, config: TableConfig) -> dict:
        meta = {"t": number, "c": self._inbox.clock}
        if self.incarnation:
            meta["n"] = self.incarnation
        if self._outbox.retry_s is not None and config.consistency.reads_own:
            meta["w"] = self._outbox.last(self.servers[server], "ack")
        return meta

    def _ask(self, server: int, answer: str, kind: str, table: str, at, meta: dict, keys, tensors: list) -> None:
        """Post a piece of a request to a server; at: which rows of it. tensors: vals, or a cached pull's stamps."""
        counts, rank, timestamp = self._stats[table], self.servers[server], self._last
        if self._outbox.is_full(rank, answer):
            self._until(lambda: not self._outbox.is_full(rank, answer), None, "answers to earlier requests")
        counts["keys_out_bytes" if kind == "pull" else "vals_out_bytes"] += sum(tensor.nbytes for tensor in tensors)
        if isinstance(keys, range):
            meta["r"] = [keys.start, len(keys)]
        else:
            counts["keys_out_bytes"] += keys.nbytes
            tensors = [keys, *tensors]
        self._outbox.ask(rank, answer, (timestamp, table, at), kind, meta, tensors)

    # ---- checks ---------------------------------------------------------------------------------------------------

    def _table(self, name: str):
        self._check_open()
        if name not in self._tables:
            raise ValueError(f"table={name!r} is unknown; allowed: {', '.join(map(repr, self._tables))}")
        return self._tables[name]

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"worker {self.comm.rank} said goodbye; it can only wait for earlier pulls")
