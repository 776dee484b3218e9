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

from .cached import caches_of
from .filters import WorkerFilters
from .inbox import Inbox
from .keys import as_keys, as_vals, distinct, sum_equal, take_keys
from .posting import COUNTS, Poster, Table
from .pulls import PendingPull, target_of
from .retry import Outbox
from .shard import GIVEN_BYTES
from .tables import TableConfig, check_tables
from .worker_rounds import WorkerRounds


class KVWorker:
    """One worker's door to the tables on `servers` (ranks of comm, in the order of their index).

    `tables` is the list that the servers were given. The worker reads all mail of its comm. In a `with` block,
    goodbye() is said at the end of it.

    incarnation: rises when a worker starts again under its rank, so that letters of its former life are told from new
    ones; clock: the clock it goes on from then (servers refuse pushes of rounds that it had finished before).
    cache_rows: of each table, how many rows are kept here (see cached.py); pulls of a range go past them. cache_policy:
    who leaves, a function of the rows, or {table: one} (cache_policy.py); None: the least recently used.
    retry_s: None where no mail is lost or overtaken: processes, torch, a simulator without such faults (letters that
    come twice do no harm). Where it can be, give some round trips: what is unanswered after retry_s is sent again,
    then after 2, 4, ... 16 retry_s; the answer to clock() and goodbye() is waited for too, and TimeoutError says that a
    server is silent. A worker sends again only while it waits inside a call.
    window: how many requests may lack their answer; one more waits until one of them has it. None: as many as you like
    (each takes memory at its servers' end of the link until it is read there).
    recorder: a history.Recorder, which keeps every operation for history.check.
    filters: what saves bytes on the way, a list for all tables or {table: list}; see filters.

    Tables may differ in consistency. There is one clock a worker: clock() waits as the strictest table demands, so each
    table keeps its promise (a looser one next to BSP reads fresher rows than it must).
    """

    def __init__(self, comm: Comm, servers: Sequence[int], tables: Sequence[TableConfig], incarnation: int = 0, *,
                 clock: int = 0, cache_rows: int = 0, cache_policy=None, retry_s: float | None = None,
                 window: int | None = None, recorder=None, filters=()):
        self.comm, self.servers, self.incarnation = comm, list(servers), incarnation
        if not self.servers or len(set(self.servers)) != len(self.servers):
            raise ValueError(f"servers={self.servers}; at least one rank, each once, is needed")
        for argument, value in (("incarnation", incarnation), ("clock", clock), ("cache_rows", cache_rows)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{argument}={value!r}; a whole number from 0 is needed")
        if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
            raise ValueError(f"window={window!r}; a whole number from 1, or None, is needed")
        if recorder is not None:
            recorder.open(comm.rank, comm.now, may_overtake=retry_s is not None, cached=cache_rows > 0)
        self._tables = {table.name: Table(number, table, table.partition.bind(table.num_rows, len(self.servers)))
                        for number, table in enumerate(check_tables(tables))}
        self._stats = {name: dict.fromkeys(COUNTS, 0) for name in self._tables}
        self._caches = caches_of(self._tables, cache_rows, cache_policy)
        self._closed = False
        self._filters = WorkerFilters(comm, filters, [table.config for table in self._tables.values()],
                                      retry_s is not None, cache_rows)
        posts = self._filters.comm
        self._outbox = Outbox(posts, retry_s)
        reporter = self.servers[comm.rank % len(self.servers)]  # it is asked how far the others are
        self._inbox = Inbox(posts, self._outbox, (table.config.consistency for table in self._tables.values()),
                            incarnation, clock, reporter, self._stats)
        self._inbox.recorder = recorder
        self._poster = Poster(comm, self.servers, incarnation, self._outbox, self._inbox, self._stats, window)
        self._rounds = WorkerRounds(comm, self.servers, self._outbox, self._inbox)
        self._until = self._inbox.until

    # ---- requests -------------------------------------------------------------------------------------------------

    def init(self, table: str, keys, vals) -> None:
        """First values of rows; returns when every server concerned has them.

        The first to write to a row wins: where an init, a set or a step of a push was there before, the row stays as it
        is. So every worker may call it with the same keys (in MXNet, where one init a key is allowed, only the values
        of rank 0 count; here the first that arrive, so give all workers the same ones or let one of them do it).
        keys (n,) distinct, or a range; vals (n, dim). Call it before any push, and before others pull through a cache:
        others see it for certain after a clock, or a barrier of the comm.
        """
        self.wait(self._overwrite("init", "inits", table, keys, vals))

    def set(self, keys, vals, table: str = "default") -> int:
        """Overwrite rows; gives a timestamp for `wait`. keys (n,) distinct, or a range or slice; vals (n, dim).

        A set is no gradient: no rule is applied and no round waited for. The rows are these values as soon as the
        server has them, whatever they were (of two sets the last to arrive stays), and their rule's state is that
        before a first step. Pushes of rounds still open take their step afterwards, from these values.
        """
        return self._overwrite("set", "sets", table, keys, vals)

    def push(self, keys, vals, table: str = "default") -> int:
        """Send gradients for rows; gives a timestamp for `wait`. It belongs to the round of this worker's clock.

        keys: (n,) integers in any order, or a range or slice of contiguous keys; the rows of equal keys are summed.
        vals: (n, dim) float32 (or the table's dtype); may be changed as soon as push returns. NaN and infinity are not
        looked for: they spoil the rows they are pushed to, and no other.
        """
        target = self._table(table)
        keys, vals, own = self._gradients(target, keys, vals)
        keys, vals = self._filters.push(table, keys, vals)
        self._stats[table]["pushes"] += 1
        if table in self._caches:
            self._caches[table].pushed(keys, vals, self._inbox.clock)
        return self._poster.write("push", target, keys, vals, {"c": self._inbox.clock}, give=own)

    def pull(self, keys, table: str = "default", out=None) -> int:
        """Ask for rows; gives a timestamp, for which `wait` returns them.

        keys: (n,) integers in any order, repeated ones too, or a range or slice of contiguous keys. A row that nobody
        wrote to has its first values (TableConfig.init).
        out: a contiguous (n, dim) tensor or array to write the rows into; leave it alone until `wait`.
        """
        target = self._table(table)
        config, partition = target.config, target.partition
        keys = as_keys(keys, config.num_rows, table)
        shape = (len(keys), config.dim)
        memory = None if out is None else target_of(out, shape, table, config.dtype)
        self._stats[table]["pulls"] += 1
        if isinstance(keys, range) or table not in self._caches:
            keys, inverse = (keys, None) if isinstance(keys, range) else self._poster.distinct(target, keys)
            pieces = [(server, at, take_keys(keys, at), []) for server, at in partition.split(keys)]
            pull = PendingPull(shape, len(keys), inverse, out, memory, len(pieces), config.dtype)
        else:
            pull = self._caches[table].pull(shape, *distinct(keys), out, memory, self._inbox.clock)
            pieces = pull.pieces(partition)
        return self._poster.pull(target, pull, pieces)

    def pushpull(self, keys, vals, table: str = "default", out=None) -> int:
        """A push and, right after it, a pull of the same keys, in one letter each way; gives one timestamp.

        `wait` returns what that pull sees at this clock: under BSP the rows before this round (the push is no step
        yet), under SSP (s > 0) and ASP rows with the push in them. Keys travel once, and the rows are the
        acknowledgement. Through a cache it is a push and a pull.
        """
        if table in self._caches:
            self.push(keys, vals, table)
            return self.pull(keys, table, out)
        target = self._table(table)
        config, given = target.config, as_keys(keys, target.config.num_rows, table)
        shape = (len(given), config.dim)
        memory = None if out is None else target_of(out, shape, table, config.dtype)
        keys, vals, own = self._gradients(target, given, vals)
        keys, vals = self._filters.push(table, keys, vals, whole=True)
        inverse = None if isinstance(given, range) else distinct(given)[1]
        for name in ("pushes", "pulls"):
            self._stats[table][name] += 1
        pieces = target.partition.split(keys)
        pull = PendingPull(shape, len(keys), inverse, out, memory, len(pieces), config.dtype)
        return self._poster.pushpull(target, pull, keys, vals, pieces, give=own)

    def wait(self, timestamp: int, timeout_s: float | None = None) -> torch.Tensor | None:
        """Wait for a request. A pull's rows, (n, dim) in the order of its keys (or the `out` given); None for a push.

        A pull is handed out once. TimeoutError when timeout_s passed first: the request goes on, wait again.
        """
        if isinstance(timestamp, bool) or not isinstance(timestamp, int) or not 1 <= timestamp <= self._poster.last:
            last = self._poster.last
            known = f"so far 1..{last} were given" if last else "none was given yet"
            raise ValueError(f"timestamp={timestamp!r} is unknown; {known}")
        pull = self._inbox.pulls.get(timestamp)
        if pull is None:
            if timestamp in self._inbox.taken:
                raise ValueError(f"timestamp={timestamp}: the rows of this pull were handed out (or refused) before")
            self._until(lambda: timestamp not in self._inbox.open, timeout_s, f"timestamp {timestamp}")
            return None
        self._until(lambda: timestamp not in self._inbox.open, timeout_s, f"timestamp {timestamp}")
        del self._inbox.pulls[timestamp]
        self._inbox.taken.append(timestamp)
        rows = pull.rows()
        if self._inbox.recorder is not None:
            self._inbox.recorder.read(timestamp, rows)
        return rows

    def clock(self) -> int:
        """End this worker's round; gives its new clock.

        Waits until its own pushes are acknowledged, then until no worker is more than the staleness behind (BSP: 0).
        BoundedDelay: waits for own requests of earlier iterations alone. BSP(backup=b): the round that is open, which
        may be several further where this worker came late.
        """
        self._check_open()
        return self._rounds.end_round()

    def flush(self, table: str | None = None) -> None:
        """Push what filters hold back, of one table or of all; it belongs to the round of this worker's clock."""
        for name in self._filters.held if table is None else [table]:
            target, held = self._table(name), self._filters.held.get(name)
            if held is not None:
                self._poster.write("push", target, *held.flush(), {"c": self._inbox.clock})

    def goodbye(self) -> None:
        """Leave: wait for all own requests, tell every server, wait for its answer. Further requests are refused.

        Pushes since the last clock() still count, in the round they are stamped with; what filters hold back is pushed.
        """
        if self._closed:
            return
        self.flush()
        self._rounds.finish_requests()
        self._closed = True
        self._rounds.leave()

    close = goodbye

    @property
    def current_clock(self) -> int:
        """The number of clock() calls that returned or wait (with backup workers: of the round that it is in): what the
        next push is stamped with."""
        return self._inbox.clock

    def stats(self) -> dict[str, dict[str, int]]:
        """By table: requests made, and payload bytes that this worker sent and received (no headers)."""
        return {name: dict(counts) for name, counts in self._stats.items()}

    def cache_stats(self) -> dict[str, dict[str, int]]:
        """By table: what the cache did (see CachedTable); {} without one."""
        return {name: dict(cached.counts) for name, cached in self._caches.items()}

    def filter_stats(self) -> dict[str, dict[str, int]]:
        """By table with filters: bytes of keys and values saved, pushed rows that were held back, rows held now."""
        return self._filters.stats()

    @property
    def resent(self) -> int:
        """How many letters this worker sent again."""
        return self._outbox.resent

    def __enter__(self) -> KVWorker:
        return self

    def __exit__(self, error_type, *_) -> None:
        if error_type is None:
            self.goodbye()

    # ---- arguments ------------------------------------------------------------------------------------------------

    def _gradients(self, target: Table, keys, vals) -> tuple[np.ndarray | range, np.ndarray, bool]:
        """(distinct ascending keys or a range, sums of their rows in float32, whether both were made here).

        Long sums are made where servers can read them.
        """
        config = target.config
        keys = as_keys(keys, config.num_rows, config.name)
        vals = as_vals(vals, len(keys), config.dim, config.name, config.dtype)
        in_kit = self.comm.shares_memory and vals.nbytes > GIVEN_BYTES and config.dtype == "float32"
        if isinstance(keys, range):
            if in_kit:                              # one copy instead of two: the server steps from it
                copied = self._empty(vals.shape, vals.dtype)
                np.copyto(copied, vals)
                vals = copied
            return keys, vals, in_kit
        in_order, sums = sum_equal(keys, vals, self._empty if in_kit else np.empty)
        return in_order, sums, in_kit and sums is not vals

    def _empty(self, shape, dtype: np.dtype) -> np.ndarray:
        return self.comm.empty(shape, str(dtype)).numpy()

    def _overwrite(self, kind: str, count: str, table: str, keys, vals) -> int:
        target = self._table(table)
        config = target.config
        keys = as_keys(keys, config.num_rows, table)
        vals = as_vals(vals, len(keys), config.dim, table, config.dtype)
        if not isinstance(keys, range):
            in_order, vals = sum_equal(keys, vals)
            if len(in_order) < len(keys):
                raise ValueError(f"table {table!r}: keys holds {len(keys) - len(in_order)} keys twice; "
                                 f"{kind} gives each row one value")
            keys = in_order
        self._stats[table][count] += 1
        if table in self._caches:
            self._caches[table].assigned(keys)
        self._filters.overwritten(table, keys)
        return self._poster.write(kind, target, keys, vals, {})

    def _table(self, name: str) -> Table:
        self._check_open()
        if name not in self._tables:
            raise ValueError(f"table={name!r} is unknown; allowed: {', '.join(map(repr, self._tables))}")
        return self._tables[name]

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"worker {self.comm.rank} said goodbye; it can only wait for earlier pulls")
