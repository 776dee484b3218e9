"""Hierarchical servers: an aggregator in each rack, so that what crosses the uplink does not grow with the rack.

    rack 0   worker ─┐                                          flat: g workers a rack push and pull across the uplink
             worker ─┼─> aggregator ══ uplink ══> server 0      here: one push, the sum of the rack's, and each row once
             worker ─┘                       ╚══> server 1      a round; uplink bytes are divided by g
    rack 1   worker ─┐
             worker ─┴─> aggregator ══ uplink ══> ...

To its workers an aggregator is the only server, with all keys: a KVWorker is given [aggregator] as its servers. To the
servers it is a worker, whose clock is that of the slowest in its rack. Rows are fetched when the first worker of a
round asks for them, and shared with the rest of the rack. That is exact for BSP, where a round is one step for the sum
of all: bit for bit the flat result wherever sums are exact, and up to the order of addition elsewhere. Tables of other
models are refused. Sums within a rack as in Li et al. (OSDI 2014) and BytePS (OSDI 2020, local aggregation).

    push, pull, pushpull, init, set, clock, bye ──> Aggregator ──> ack, rows, min, bye, error    letters of server.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pslab.comm import Comm, Mail

from .clocks import GONE, Clocks
from .filters import ServerEnd
from .hierarchy_rows import Shelf, Sums
from .keys import as_array
from .requests import Again, Refused, whole
from .scheduler_mail import Sorted
from .senders import Senders
from .server import KVServer
from .serving import post_all, serve
from .tables import TableConfig, check_tables
from .worker import KVWorker


class Aggregator:
    """Sums the pushes of one rack, and shares its pulls. Mail in, mail out; `upstream` is its door to the servers.

    workers: ranks of the rack's workers. upstream: a KVWorker to the servers; goodbye() is said to it at the end.
    rank: its own, the sender of its answers.
    """

    def __init__(self, tables: Sequence[TableConfig], workers: Sequence[int], upstream, rank: int):
        self.tables, self.workers = check_tables(tables), list(workers)
        if not self.workers or len(set(self.workers)) != len(self.workers):
            raise ValueError(f"workers={self.workers}; at least one rank, each once, is needed")
        for table in self.tables:
            if not table.consistency.in_rounds or table.consistency.backup:
                raise ValueError(f"table {table.name!r}: consistency={table.consistency!r}; an aggregator sums rounds, "
                                 f"so that BSP() without backup workers is needed")
            if table.dtype != "float32":
                raise ValueError(f"table {table.name!r}: dtype={table.dtype!r}; an aggregator adds float32")
        self.upstream, self.rank, self.clock = upstream, rank, 0
        self._clocks = Clocks(self.workers)
        self._senders, self._filters = Senders(self.workers, self._clocks), ServerEnd(rank)
        self._sums = [Sums() for _ in self.tables]
        self._shelves = [Shelf(table.dim) for table in self.tables]
        self._now_s, self._stay_until_s = 0.0, {}
        self._counts = dict.fromkeys(("pushes", "pushes_forwarded", "pulls", "rows_asked", "rows_fetched"), 0)

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """Act on one letter (None: only time has passed) and give the answers as (dst, mail)."""
        self._now_s = now_s
        if mail is None:
            return []
        return self._filters.handle(mail, self._act)

    def _act(self, mail: Mail) -> list[tuple[int, Mail]]:
        try:
            if mail.src not in self.workers:
                raise Refused(f"rank {mail.src} is no worker of this rack; its workers are {self.workers}")
            act = self._actions.get(mail.kind)
            if act is None:
                raise Refused(f"kind={mail.kind!r}; an aggregator takes {', '.join(self._actions)}")
            return act(self, mail)
        except Refused as why:
            meta = {"q": mail.meta.get("q", 0), "k": mail.kind, "w": f"aggregator {self.rank}: {why}"}
            return [(mail.src, Mail(self.rank, "error", self._to_life(mail, meta)))]

    def next_deadline_s(self) -> float | None:
        """As KVServer's: it stays a while where letters can be lost."""
        return max(self._stay_until_s.values()) if self._clocks.min_clock >= GONE and not self.done else None

    @property
    def done(self) -> bool:
        """Every worker of the rack said goodbye, and so did this aggregator to the servers."""
        return self._clocks.min_clock >= GONE and self._now_s >= max(self._stay_until_s.values())

    def stats(self) -> dict:
        """Pushes taken and forwarded; pulls, the rows asked for in them, and those that were fetched."""
        return dict(self._counts)

    # ---- one method a kind of mail --------------------------------------------------------------------------------

    def _push(self, mail: Mail) -> list[tuple[int, Mail]]:
        number, keys, vals = self._read(mail, with_vals=True)
        new = self._add(mail, number, keys, vals)
        return self._reply(mail, "ack", {"q": mail.meta["q"]}, not new)

    def _pushpull(self, mail: Mail) -> list[tuple[int, Mail]]:
        """A push whose answer is what a pull right after it sees: under BSP the rows of the rounds before."""
        number, keys, vals = self._read(mail, with_vals=True)
        new = self._add(mail, number, keys, vals)
        return self._rows(mail, number, keys, new, {"a": True})

    def _write(self, mail: Mail) -> list[tuple[int, Mail]]:
        number, keys, vals = self._read(mail, with_vals=True)
        new = self._senders.note_write(mail, whole(mail, "n"), whole(mail, "q"), None)
        if new:
            name = self.tables[number].name
            if mail.kind == "init":
                self.upstream.init(name, keys, vals)
            else:
                self.upstream.wait(self.upstream.set(keys, vals, table=name))
            self._shelves[number].clear()
        return self._reply(mail, "ack", {"q": mail.meta["q"]}, not new)

    def _pull(self, mail: Mail) -> list[tuple[int, Mail]]:
        number, keys, _ = self._read(mail, with_vals=False)
        new = self._senders.note_pull(mail, whole(mail, "n") if "n" in mail.meta else 0, whole(mail, "q"))
        return self._rows(mail, number, keys, new, {})

    def _add(self, mail: Mail, number: int, keys, vals: np.ndarray) -> bool:
        """Note a push; False when it came before."""
        clock = whole(mail, "c")
        if clock > self.clock:                              # one of an earlier round came before, or is refused below
            raise Refused(f"push stamped {clock} by worker {mail.src}; the rack's round is {self.clock}")
        new = self._senders.note_write(mail, whole(mail, "n"), whole(mail, "q"), clock)
        if new:
            self._counts["pushes"] += 1
            self._sums[number].add(mail.src, whole(mail, "q"), keys, vals)
        return new

    def _rows(self, mail: Mail, number: int, keys, new: bool, more: dict) -> list[tuple[int, Mail]]:
        clock = whole(mail, "c")
        if not new and clock < self._clocks.of[mail.src]:
            return []                                       # a worker that asks again has not gone on
        if clock != self.clock:
            raise Refused(f"pull at clock {clock} of worker {mail.src}; the rack's round is {self.clock}")
        rows, fetched = self._shelves[number].take(keys, lambda missing: self._fetch(number, missing))
        if new:
            self._counts["pulls"] += 1
            self._counts["rows_asked"] += len(keys)
        self._counts["rows_fetched"] += fetched
        return self._reply(mail, "rows", {"q": mail.meta["q"], **more}, not new, [rows])

    def _clock(self, mail: Mail) -> list[tuple[int, Mail]]:
        news = self._rise() if self._clocks.advance(mail.src, whole(mail, "c")) else []
        if mail.meta.get("a"):
            news = [(dst, letter) for dst, letter in news if dst != mail.src]
            news += self._reply(mail, "min", {"c": self.clock, "k": self._clocks.of[mail.src]})
        return news

    def _bye(self, mail: Mail) -> list[tuple[int, Mail]]:
        stay_s = mail.meta.get("s", 0.0)
        self._stay_until_s[mail.src] = self._now_s + stay_s
        again = self._clocks.has_left(mail.src)
        if again and not stay_s:
            return []                                       # that worker has the answer
        news = self._rise() if self._clocks.leave(mail.src) else []
        return news + self._reply(mail, "bye", {}, again)

    _actions: dict[str, Callable] = {       # noqa: RUF012
        "push": _push, "pull": _pull, "pushpull": _pushpull, "init": _write, "set": _write, "clock": _clock,
        "bye": _bye}

    # ---- upstream -------------------------------------------------------------------------------------------------

    def _rise(self) -> list[tuple[int, Mail]]:
        """The rack's slowest worker went on: forward the round's sums, and be told when all racks have."""
        low = self._clocks.min_clock
        self._forward()
        if low >= GONE:
            self.upstream.goodbye()
            return []
        while self.clock < low:
            self.clock = self.upstream.clock()
        for shelf in self._shelves:
            shelf.clear()
        here = [worker for worker in self.workers if not self._clocks.has_left(worker)]
        return [(worker, Mail(self.rank, "min", {"c": self.clock})) for worker in here]

    def _forward(self) -> None:
        for table, sums in zip(self.tables, self._sums, strict=True):
            if sums:
                self._counts["pushes_forwarded"] += 1
                self.upstream.push(*sums.take(), table=table.name)

    def _fetch(self, number: int, keys) -> np.ndarray:
        name = self.tables[number].name
        return as_array(self.upstream.wait(self.upstream.pull(keys, table=name)), "rows")

    # ---- letters --------------------------------------------------------------------------------------------------

    def _read(self, mail: Mail, with_vals: bool) -> tuple[int, range | np.ndarray, np.ndarray | None]:
        """(table number, keys, vals) of a letter; KVWorker has checked them, so only their form is looked at."""
        number = whole(mail, "t")
        if number >= len(self.tables):
            raise Refused(f"table number {number}; this aggregator has tables 0..{len(self.tables) - 1}")
        needed = ("r" not in mail.meta) + with_vals
        if len(mail.tensors) != needed:
            raise Refused(f"a {mail.kind} brings {len(mail.tensors)} tensors; {needed} are needed (an aggregator "
                          f"serves no worker with a cache)")
        arrays = [as_array(tensor, "tensor") for tensor in mail.tensors]
        keys = range(mail.meta["r"][0], sum(mail.meta["r"])) if "r" in mail.meta else arrays[0]
        vals = arrays[-1] if with_vals else None
        if vals is not None and (vals.dtype != np.float32 or vals.shape != (len(keys), self.tables[number].dim)):
            raise Refused(f"table {self.tables[number].name!r}: vals is {vals.dtype}{list(vals.shape)}; "
                          f"float32[{len(keys)}, {self.tables[number].dim}] is needed")
        return number, keys, vals

    def _reply(self, mail: Mail, kind: str, meta: dict, again: bool = False, tensors: Sequence = ()):
        letter = (Again if again else Mail)(self.rank, kind, self._to_life(mail, meta), list(tensors))
        return [(mail.src, letter)]

    def _to_life(self, mail: Mail, meta: dict) -> dict:
        return {**meta, "n": mail.meta["n"]} if mail.meta.get("n") else meta


def serve_aggregator(comm: Comm, tables: Sequence[TableConfig], workers: Sequence[int], servers: Sequence[int], *,
                     retry_s: float | None = None) -> dict:
    """Be the aggregator of a rack until its workers said goodbye; gives its `stats()`. retry_s: as KVWorker's."""
    upwards = set(servers)
    answers, requests = Sorted.in_two(comm, lambda mail: mail.src in upwards)
    aggregator = Aggregator(tables, workers, KVWorker(answers, servers, tables, retry_s=retry_s), comm.rank)
    mail = None
    while True:
        post_all(comm, aggregator.handle(mail, comm.now()))
        if aggregator.done:
            return aggregator.stats()
        due_s = aggregator.next_deadline_s()
        mail = requests.poll(None if due_s is None else max(0.0, due_s - comm.now()))


def cluster_of_racks(comm: Comm, work: Callable, tables: Sequence[TableConfig], racks: Sequence[Sequence[int]],
                     servers: Sequence[int], *, args: Sequence = (), retry_s: float | None = None,
                     at_end: Callable | None = None):
    """Play this rank's part in a job of racks; on a worker gives what work(comm, kv, *args) returned.

    racks     ranks of each: the first is its aggregator, the others are its workers (at least one)
    servers   ranks of the servers, by index, wherever they stand. On one of them gives at_end(server) or its stats();
              on an aggregator its stats
    """
    racks, servers = [list(rack) for rack in racks], list(servers)
    named = sorted([rank for rack in racks for rank in rack] + servers)
    if named != list(range(comm.world_size)) or not servers or any(len(rack) < 2 for rack in racks):
        raise ValueError(f"racks={racks}, servers={servers}; each of the ranks 0..{comm.world_size - 1} once, at least "
                         f"a server, and in each rack an aggregator and a worker are needed")
    if comm.rank in servers:
        server = KVServer(tables, servers.index(comm.rank), len(servers), [rack[0] for rack in racks], comm.rank)
        stats = serve(comm, server)
        return stats if at_end is None else at_end(server)
    aggregator, *workers = next(rack for rack in racks if comm.rank in rack)
    if comm.rank == aggregator:
        return serve_aggregator(comm, tables, workers, servers, retry_s=retry_s)
    with KVWorker(comm, [aggregator], tables, retry_s=retry_s) as kv:
        return work(comm, kv, *args)
