"""The server: mail comes in, rows change, mail goes out. No sockets and no clock of its own.

    worker                             server                   what the server does
    push  {t q n c [r]}   keys vals ──>  ──> ack {q}            recorded once; a step at the end of round c, or at once
    pull  {t q c [r n w]} keys      ──>  ──> rows {q} vals      when every worker's clock is >= c - staleness
                          keys stamps    ──> rows {q v m} bits vals [state]     of a worker with a cache: cached.py
    init  {t q n [r]}     keys vals ──>  ──> ack {q}            rows set at once
    clock {c [a]}                   ──>  ──> min {c [k]}        to the workers this server reports to; a: to its sender
    bye   {[s]}                     ──>  ──> bye {}             that worker holds nobody up any more
                                         ──> error {q k w}      refused: w says why; nothing changed

    t table number   q number of the request on this link, pulls and the rest apart   c clock   n incarnation
    r [lo, n] instead of a tensor of keys      Only where letters can be lost:   a answer with k, the clock you know
    of me   w answer when my writes up to this number are recorded   s stay so many seconds, to answer again (a second
    bye without it: I have the answer)

Server i reports the smallest clock to every S-th worker only: one report is enough to go on, since a pull that is ahead
of what another server has heard waits there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pslab.comm import Comm, Mail

from .clocks import GONE, Clocks
from .requests import Again, Asked, Refused, Request, parse, whole
from .rounds import Rounds
from .senders import Senders
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
        self._senders = Senders(self.workers, self._clocks)
        self._rounds = Rounds(self.shards, self._clocks, self._senders, self._answer)
        self._now_s, self._stay_until_s = 0.0, {}                      # until when each worker may ask again
        self._reports_to = self.workers[index::num_servers]
        self._arena = Arena()
        self._repeats = self._refused = self._refused_bytes = 0

    # ---- the state machine ----------------------------------------------------------------------------------------

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """Act on one letter (None: only time has passed) and give the answers as (dst, mail).

        Tensors in the answers may be views of the server's rows: post them before the next call.
        """
        self._now_s = now_s
        if mail is None:
            return []
        self._arena.reset()
        try:
            if mail.src not in self._senders.writes:
                raise Refused(f"rank {mail.src} is no worker of this server; its workers are {self.workers}")
            act = self._actions.get(mail.kind)
            if act is None:
                raise Refused(f"kind={mail.kind!r}; a server takes {', '.join(self._actions)}")
            return act(self, mail)
        except Refused as why:
            self._refused += 1
            self._refused_bytes += sum(tensor.nbytes for tensor in mail.tensors)
            number = mail.meta.get("q")
            meta = {"q": number if type(number) is int else 0, "k": mail.kind, "w": f"server {self.index}: {why}"}
            life = mail.meta.get("n")
            return [(mail.src, Mail(self.rank, "error", _to_life(life if type(life) is int else 0, meta)))]

    def next_deadline_s(self) -> float | None:
        """When `handle(None, now_s)` is due though no mail came; None: only mail matters.

        Where letters can be lost, a server whose workers have all left stays a while, to answer a goodbye again.
        """
        return max(self._stay_until_s.values()) if self._clocks.min_clock >= GONE and not self.done else None

    @property
    def done(self) -> bool:
        """Every worker said goodbye, all rounds are closed, and the time that workers asked it to stay is over."""
        return self._clocks.min_clock >= GONE and self._now_s >= max(self._stay_until_s.values())

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
        new = self._is_new(mail, request, clock)
        if new:
            request.shard.counts["pushes"] += 1
            self._rounds.record(request.shard, clock, Part(mail.src, request.number, request.where, request.vals))
        return self._written(mail, request, new)

    def _init(self, mail: Mail) -> list[tuple[int, Mail]]:
        request = parse(mail, self.shards)
        new = self._is_new(mail, request, None)
        if new:
            request.shard.counts["inits"] += 1
            request.shard.assign(request.where, request.vals)
        return self._written(mail, request, new)

    def _pull(self, mail: Mail) -> list[tuple[int, Mail]]:
        request, clock = parse(mail, self.shards), whole(mail, "c")
        life = whole(mail, "n") if "n" in mail.meta else 0
        asked = Asked(mail.src, life, clock, whole(mail, "w") if "w" in mail.meta else 0, request)
        new = self._senders.note_pull(mail, life, request.number)
        self._count(request)
        if not new:
            self._repeats += 1
            return self._pull_again(asked)
        request.shard.counts["pulls"] += 1
        return self._rounds.take(asked)

    def _clock(self, mail: Mail) -> list[tuple[int, Mail]]:
        clock = whole(mail, "c")
        if clock > self._clocks.left_at.get(mail.src, clock) and not mail.meta.get("a"):     # else it came twice
            raise Refused(f"clock from worker {mail.src} after its goodbye")
        news = self._rise() if self._clocks.advance(mail.src, clock) else []
        if mail.meta.get("a"):
            news = [(dst, letter) for dst, letter in news if (dst, letter.kind) != (mail.src, "min")]
            news += self._reply(mail, "min", {"c": self._clocks.min_clock, "k": self._clocks.of[mail.src]})
        return news

    def _bye(self, mail: Mail) -> list[tuple[int, Mail]]:
        stay_s = mail.meta.get("s", 0.0)
        if not isinstance(stay_s, (int, float)) or not 0 <= stay_s < float("inf"):
            raise Refused(f"bye with s={stay_s!r}; seconds from 0 are needed")
        self._stay_until_s[mail.src] = self._now_s + stay_s
        again = self._clocks.has_left(mail.src)
        if again and not stay_s:
            return []                       # that worker has the answer
        news = self._rise() if self._clocks.leave(mail.src) else []
        return news + self._reply(mail, "bye", {}, again)

    _actions = {"push": _push, "pull": _pull, "init": _init, "clock": _clock, "bye": _bye}     # noqa: RUF012

    def _rise(self) -> list[tuple[int, Mail]]:
        """The smallest clock rose: rounds close, pulls are answered, and the workers reported to hear of it."""
        out, low = self._rounds.rise(), self._clocks.min_clock
        here = [worker for worker in self._reports_to if not self._clocks.has_left(worker)]
        return out + [(worker, Mail(self.rank, "min", {"c": low})) for worker in here]

    # ---- answers --------------------------------------------------------------------------------------------------

    def _pull_again(self, asked: Asked) -> list[tuple[int, Mail]]:
        """A pull that came before: its answer was lost, or waits here, or was read and this is an echo."""
        if self._rounds.waits(asked):
            return [(asked.src, Again(self.rank, "min", {"c": self._clocks.min_clock}))]     # it shows that one is here
        if asked.clock < self._clocks.of[asked.src]:
            return []                                       # a worker that asks again has not gone on
        return [(asked.src, self._answer(asked, Again))]

    def _answer(self, asked: Asked, kind: type = Mail) -> Mail:
        request, shard, meta = asked.request, asked.request.shard, {"q": asked.request.number}
        if request.stamps is None:
            tensors = [shard.gather(request.where, self._arena)]
        else:
            tensors = shard.gather_changed(request.where, request.stamps, self._arena)
            meta |= {"v": shard.version, "m": min(asked.clock, self._clocks.min_clock)}
            shard.counts["keys_out_bytes"] += tensors[0].nbytes
            shard.counts["vals_out_bytes"] -= tensors[0].nbytes
        shard.counts["vals_out_bytes"] += sum(tensor.nbytes for tensor in tensors)
        return kind(self.rank, "rows", _to_life(asked.life, meta), tensors)

    def _written(self, mail: Mail, request: Request, new: bool) -> list[tuple[int, Mail]]:
        """The acknowledgement of a push or init, and the pulls that waited for it."""
        out = self._reply(mail, "ack", _to_life(mail.meta["n"], {"q": request.number}), not new)
        return out + self._rounds.written() if new else out

    def _reply(self, mail: Mail, kind: str, meta: dict, again: bool = False) -> list[tuple[int, Mail]]:
        return [(mail.src, (Again if again else Mail)(self.rank, kind, meta))]

    def _is_new(self, mail: Mail, request: Request, clock: int | None) -> bool:
        """Note a push or init and count its bytes; False when it was recorded before."""
        new = self._senders.note_write(mail, whole(mail, "n"), request.number, clock)
        self._count(request)
        self._repeats += not new
        return new

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
            again = {"retry": True} if isinstance(answer, Again) else {}
            comm.post(dst, answer.kind, answer.meta, answer.tensors, **again)
        if server.done:
            return server.stats()
        due_s = server.next_deadline_s()
        mail = comm.poll(None if due_s is None else max(0.0, due_s - comm.now()))


def _to_life(life: int, meta: dict) -> dict:
    """Answers name the life they are meant for, unless it is the first: none must settle what another life asked."""
    return {**meta, "n": life} if life else meta
