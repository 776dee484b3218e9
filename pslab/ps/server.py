"""The server: mail comes in, rows change, mail goes out. No sockets and no clock of its own.

    worker                           server                     what the server does
    push  {t q n c [r]} keys vals ──>  ──> ack {q}              recorded in round c, once
    pull  {t q c [r]}   keys      ──>  ──> rows {q} vals        when every worker's clock is >= c - staleness
    init  {t q n [r]}   keys vals ──>  ──> ack {q}              rows set at once
    clock {c}                     ──>  ──> min {c}              to the workers this server reports to
    bye   {}                      ──>  ──> bye {}               that worker holds nobody up any more
                                       ──> error {q k w}        refused: w says why; nothing changed

    t table number   q number of the request on this link, pushes and pulls apart   c clock   n incarnation
    r [lo, n] instead of a tensor of keys

Server i reports the smallest clock to every S-th worker only: one report is enough to go on, since a pull that is ahead
of what another server has heard waits there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pslab.comm import Comm, Mail

from .consistency import GONE, Clocks, Seen
from .requests import Refused, Request, parse, whole
from .shard import Arena, Part, Shard
from .tables import TableConfig, check_tables


class KVServer:
    """Server `index` of num_servers: its shard of every table, and what it knows of the workers (ranks of the comm).

    rank: this server's own rank, the sender of its answers (default: workers come first, then the servers).
    """

    def __init__(self, tables: Sequence[TableConfig], index: int, num_servers: int, workers: Sequence[int],
                 rank: int | None = None):
        if not 0 <= index < num_servers:
            raise ValueError(f"index={index}; with num_servers={num_servers} allowed: 0..{num_servers - 1}")
        self.workers = list(workers)
        if not self.workers or len(set(self.workers)) != len(self.workers):
            raise ValueError(f"workers={self.workers}; at least one rank, each once, is needed")
        self.index, self.num_servers = index, num_servers
        self.rank = len(self.workers) + index if rank is None else rank
        self.shards = [Shard(table, index, num_servers) for table in check_tables(tables)]
        self._clocks = Clocks(self.workers)
        self._seen = {worker: Seen() for worker in self.workers}
        self._parked: dict[int, list[tuple[int, Request]]] = {}        # pulls that are ahead, by their clock
        self._reports_to = self.workers[index::num_servers]
        self._arena = Arena()
        self._repeats = self._refused = self._refused_bytes = 0

    # ---- the state machine ----------------------------------------------------------------------------------------

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """Act on one letter (None: only time has passed) and give the answers as (dst, mail).

        Tensors in the answers may be views of the server's rows: post them before the next call.
        """
        if mail is None:
            return []
        self._arena.reset()
        try:
            if mail.src not in self._seen:
                raise Refused(f"rank {mail.src} is no worker of this server; its workers are {self.workers}")
            act = self._actions.get(mail.kind)
            if act is None:
                raise Refused(f"kind={mail.kind!r}; a server takes {', '.join(self._actions)}")
            if self._clocks.has_left(mail.src) and mail.kind != "bye":
                raise Refused(f"{mail.kind} from worker {mail.src} after its goodbye")
            return act(self, mail)
        except Refused as why:
            self._refused += 1
            self._refused_bytes += sum(tensor.nbytes for tensor in mail.tensors)
            number = mail.meta.get("q")
            meta = {"q": number if type(number) is int else 0, "k": mail.kind, "w": f"server {self.index}: {why}"}
            return [(mail.src, Mail(self.rank, "error", meta))]

    def next_deadline_s(self) -> float | None:
        """When `handle(None, now_s)` is due though no mail came; None: only mail matters."""
        return None

    @property
    def done(self) -> bool:
        """Every worker said goodbye; all rounds are closed."""
        return self._clocks.min_clock >= GONE

    @property
    def min_clock(self) -> int:
        """The smallest clock of the workers still here, as this server knows it."""
        return self._clocks.min_clock

    def rows(self, table: str) -> np.ndarray:
        """This server's rows of a table, (n, dim): keys lo..hi-1 of its shard. A view."""
        return self._shard(table).rows

    def bounds(self, table: str) -> tuple[int, int]:
        """(lo, hi): the keys lo <= key < hi of a table that this server owns."""
        shard = self._shard(table)
        return shard.lo, shard.hi

    def stats(self) -> dict:
        """Payload bytes through this server's port by table, and counts of requests, steps and closed rounds."""
        return {"index": self.index, "repeats": self._repeats, "refused": self._refused,
                "refused_bytes": self._refused_bytes,
                "tables": {shard.config.name: dict(shard.counts) for shard in self.shards}}

    # ---- one method a kind of mail --------------------------------------------------------------------------------

    def _push(self, mail: Mail) -> list[tuple[int, Mail]]:
        request, clock = parse(mail, self.shards), whole(mail, "c")
        if self._is_new(mail, request, clock):
            request.shard.counts["pushes"] += 1
            request.shard.record(clock, Part(mail.src, request.number, request.where, request.vals))
        return self._reply(mail, "ack", {"q": request.number})

    def _init(self, mail: Mail) -> list[tuple[int, Mail]]:
        request = parse(mail, self.shards)
        if self._is_new(mail, request, None):
            request.shard.counts["inits"] += 1
            request.shard.assign(request.where, request.vals)
        return self._reply(mail, "ack", {"q": request.number})

    def _pull(self, mail: Mail) -> list[tuple[int, Mail]]:
        request, clock = parse(mail, self.shards), whole(mail, "c")
        self._count(request)
        request.shard.counts["pulls"] += 1
        rule = request.shard.config.consistency
        if rule.may_read(clock, self._clocks.min_clock):
            return [(mail.src, self._answer(request))]
        self._parked.setdefault(clock - rule.staleness, []).append((mail.src, request))
        return []

    def _clock(self, mail: Mail) -> list[tuple[int, Mail]]:
        return self._rise() if self._clocks.advance(mail.src, whole(mail, "c")) else []

    def _bye(self, mail: Mail) -> list[tuple[int, Mail]]:
        news = self._rise() if self._clocks.leave(mail.src) else []
        return news + self._reply(mail, "bye", {})

    _actions = {"push": _push, "pull": _pull, "init": _init, "clock": _clock, "bye": _bye}     # noqa: RUF012

    # ---- rounds ---------------------------------------------------------------------------------------------------

    def _rise(self) -> list[tuple[int, Mail]]:
        """The smallest clock rose: answer the pulls that waited for it, close the rounds now behind, clock by clock.

        The clock can jump when a worker leaves; a pull at clock c still sees the rounds up to c - 1 and not round c.
        """
        low, out = self._clocks.min_clock, []
        waiting = {clock for shard in self.shards for clock in shard.rounds}.union(self._parked)
        for clock in sorted(clock for clock in waiting if clock <= low):
            out += [(src, self._answer(request)) for src, request in self._parked.pop(clock, [])]
            if clock < low:
                for _, answer in out:                       # a view of rows that this round is about to change
                    answer.tensors = [tensor.copy() for tensor in answer.tensors]
                for shard in self.shards:
                    shard.close(clock)
        here = [worker for worker in self._reports_to if not self._clocks.has_left(worker)]
        return out + [(worker, Mail(self.rank, "min", {"c": low})) for worker in here]

    def _answer(self, request: Request) -> Mail:
        rows = request.shard.gather(request.where, self._arena)
        request.shard.counts["vals_out_bytes"] += rows.nbytes
        return Mail(self.rank, "rows", {"q": request.number}, [rows])

    def _reply(self, mail: Mail, kind: str, meta: dict) -> list[tuple[int, Mail]]:
        return [(mail.src, Mail(self.rank, kind, meta))]

    def _is_new(self, mail: Mail, request: Request, clock: int | None) -> bool:
        """Note a push or init and count its bytes; False when it was recorded before. Refuses senders of the past."""
        seen, incarnation = self._seen[mail.src], whole(mail, "n")
        if incarnation < seen.incarnation:
            raise Refused(f"incarnation {incarnation} of worker {mail.src} was replaced by {seen.incarnation}")
        if seen.is_repeat(incarnation, request.number):
            self._count(request)
            self._repeats += 1
            return False
        if not seen.fits(incarnation, request.number):
            raise Refused(f"q={request.number} of worker {mail.src}: more than {seen.WINDOW} before it are missing")
        if clock is not None and clock < self._clocks.of[mail.src]:
            raise Refused(f"push stamped {clock} by worker {mail.src}, whose clock is {self._clocks.of[mail.src]}: "
                          f"that round may be closed")
        seen.note(incarnation, request.number)
        self._count(request)
        return True

    def _count(self, request: Request) -> None:
        request.shard.counts["keys_in_bytes"] += request.keys_bytes
        request.shard.counts["vals_in_bytes"] += request.vals_bytes

    def _shard(self, table: str) -> Shard:
        for shard in self.shards:
            if shard.config.name == table:
                return shard
        raise ValueError(f"table={table!r}; this server has {[shard.config.name for shard in self.shards]}")


def serve(comm: Comm, server: KVServer) -> dict:
    """Answer mail until every worker said goodbye; gives the server's `stats()`."""
    mail = None
    while True:
        for dst, answer in server.handle(mail, comm.now()):
            comm.post(dst, answer.kind, answer.meta, answer.tensors)
        if server.done:
            return server.stats()
        due_s = server.next_deadline_s()
        mail = comm.poll(None if due_s is None else max(0.0, due_s - comm.now()))
