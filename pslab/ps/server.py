"""The server: mail comes in, rows change, mail goes out. No sockets and no clock of its own.

    worker                             server                   what the server does
    push  {t q n c [r]}   keys vals ──>  ──> ack {q}            recorded once; a step at the end of round c, or at once
    pull  {t q c [r n w]} keys      ──>  ──> rows {q} vals      when every worker's clock is >= c - staleness
                          keys stamps    ──> rows {q v m} bits vals [state]     of a worker with a cache: cached.py
    pushpull {t q n c [r w]} keys vals ──> ──> rows {q a} vals  a push, numbered as one, and a pull of the same keys
    init  {t q n [r]}     keys vals ──>  ──> ack {q}            rows set at once that nobody wrote to
    set   {t q n [r]}     keys vals ──>  ──> ack {q}            rows set at once, whatever they were
    clock {c [a j]}                 ──>  ──> min {c [k f]}      to the workers this server reports to; a: to its sender
    bye   {[s]}                     ──>  ──> bye {}             that worker holds nobody up any more
                                         ──> error {q k w}      refused: w says why; nothing changed

    t table number   q number of the request on this link, pulls and the rest apart   c clock   n incarnation
    r [lo, n] instead of a tensor of keys      With backup workers:   f open rounds   j the round that ends with
    this clock, where rounds before it were left out      Only where letters can be lost:   a answer with k, the clock
    you know of me   w answer when my writes up to this number are recorded   s stay so many seconds, to answer again (a
    second bye without it: I have the answer)

Server i reports the smallest clock to every S-th worker only: one report is enough to go on, since a pull that is ahead
of what another server has heard waits there.
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab.comm import Mail

from .applied import Applied
from .clocks import GONE, Clocks
from .dtypes import to_wire
from .filters import ServerEnd
from .hashed import make_shard
from .holdings import Holdings
from .requests import Again, Asked, Refused, Request, parse, whole
from .rounds import Rounds
from .senders import Senders
from .shard import Arena, Part
from .tables import TableConfig, check_tables
from .vector_clock import RangeClocks


class KVServer(Holdings):
    """Server `index` of num_servers: its shard of every table, and what it knows of the workers (ranks of the comm).

    rank: this server's own rank, the sender of its answers (default: workers come first, then the servers).
    recorder: a history.ServerLog, for a run that is to be judged. range_clocks: keep, for range_clocks(table), which
    worker last updated which keys at which clock.
    """

    def __init__(self, tables: Sequence[TableConfig], index: int, num_servers: int, workers: Sequence[int],
                 rank: int | None = None, *, recorder=None, range_clocks: bool = False):
        if not 0 <= index < num_servers:
            raise ValueError(f"index={index}; with num_servers={num_servers} allowed: 0..{num_servers - 1}")
        self.workers = list(workers)
        if not self.workers or len(set(self.workers)) != len(self.workers):
            raise ValueError(f"workers={self.workers}; at least one rank, each once, is needed")
        self.index, self.num_servers = index, num_servers
        self.rank = len(self.workers) + index if rank is None else rank
        self.shards = [make_shard(table, index, num_servers) for table in check_tables(tables)]
        for shard in self.shards:
            shard.config.consistency.check(shard.config, len(self.workers))
        if recorder is not None:
            recorder.rank = self.rank
        self._recorder = recorder
        self._applied = Applied(self.shards, recorder, range_clocks) if recorder is not None or range_clocks else None
        self._clocks = Clocks(self.workers, {shard.config.consistency.backup for shard in self.shards} - {0})
        self._senders = Senders(self.workers, self._clocks)
        self._rounds = Rounds(self.shards, self._clocks, self._senders, self._answer, self._applied)
        self._now_s, self._stay_until_s = 0.0, {}                      # until when each worker may ask again
        self._reports_to = self.workers[index::num_servers]
        self._arena, self._filters = Arena(), ServerEnd(self.rank)
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
        return self._filters.handle(mail, self._act)

    def _act(self, mail: Mail) -> list[tuple[int, Mail]]:
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

    def answer_from(self, empty) -> None:
        """Let long answers be made in memory from `empty` (Comm.empty); whoever posts them may give them away."""
        self._arena.give = empty

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

    def range_clocks(self, table: str) -> RangeClocks:
        """Which worker last updated which of this server's keys at which clock; needs range_clocks=True."""
        self._shard(table)
        if self._applied is None or not self._applied.clocks:
            raise ValueError("this server keeps no clocks of ranges; make it with range_clocks=True")
        return self._applied.clocks[table]

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
            self._record(mail, request, clock)
        return self._written(mail, request, new)

    def _record(self, mail: Mail, request: Request, clock: int) -> None:
        part = Part(mail.src, request.number, request.where, request.vals, mail.meta["n"])
        self._rounds.record(request.shard, clock, part)

    def _init(self, mail: Mail) -> list[tuple[int, Mail]]:
        request = parse(mail, self.shards)
        new = self._is_new(mail, request, None)
        if new:
            request.shard.counts["inits"] += 1
            request.shard.assign_new(request.where, request.vals)
        return self._written(mail, request, new)

    def _set(self, mail: Mail) -> list[tuple[int, Mail]]:
        request = parse(mail, self.shards)
        new = self._is_new(mail, request, None)
        if new:
            request.shard.counts["sets"] += 1
            request.shard.assign(request.where, request.vals)
            if self._applied is not None:
                self._applied.assigned(request.shard, mail.src, mail.meta["n"], request.number)
        return self._written(mail, request, new)

    def _pushpull(self, mail: Mail) -> list[tuple[int, Mail]]:
        """A push, numbered as one, whose answer is what a pull right after it sees."""
        request, clock = parse(mail, self.shards), whole(mail, "c")
        asked = Asked(mail.src, whole(mail, "n"), clock, whole(mail, "w") if "w" in mail.meta else 0,
                      request._replace(vals=None, both=True))
        new = self._is_new(mail, request, clock)
        if not new:
            return self._pull_again(asked)
        for name in ("pushes", "pulls"):
            request.shard.counts[name] += 1
        self._record(mail, request, clock)
        return self._rounds.written() + self._rounds.take(asked)

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
        clock, left_out = whole(mail, "c"), [whole(mail, "j")] if "j" in mail.meta else []
        if clock > self._clocks.left_at.get(mail.src, clock) and not mail.meta.get("a"):     # else it came twice
            raise Refused(f"clock from worker {mail.src} after its goodbye")
        news = self._rise() if self._clocks.advance(mail.src, clock, *left_out) else []
        if mail.meta.get("a"):
            news = [(dst, letter) for dst, letter in news if (dst, letter.kind) != (mail.src, "min")]
            news += self._reply(mail, "min", {**self._low(), "k": self._clocks.of[mail.src]})
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

    _actions = {"push": _push, "pull": _pull, "pushpull": _pushpull, "init": _init, "set": _set,     # noqa: RUF012
                "clock": _clock, "bye": _bye}

    def _rise(self) -> list[tuple[int, Mail]]:
        """The smallest clock rose: rounds close, pulls are answered, and the workers reported to hear of it."""
        out = self._rounds.rise()
        here = [worker for worker in self._reports_to if not self._clocks.has_left(worker)]
        return out + [(worker, Mail(self.rank, "min", self._low())) for worker in here]

    def _low(self) -> dict:
        fronts = self._clocks.fronts
        return {"c": self._clocks.min_clock, "f": fronts} if fronts else {"c": self._clocks.min_clock}

    # ---- answers --------------------------------------------------------------------------------------------------

    def _pull_again(self, asked: Asked) -> list[tuple[int, Mail]]:
        """A pull that came before: its answer was lost, or waits here, or was read and this is an echo."""
        if self._rounds.waits(asked):
            return [(asked.src, Again(self.rank, "min", self._low()))]     # it shows that one is here
        if asked.clock < self._clocks.of[asked.src] and asked.request.shard.config.consistency.delay is None:
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
        if request.both:
            meta["a"] = True
        if self._recorder is not None:
            meta["h"] = self._recorder.length
        shard.counts["vals_out_bytes"] += sum(tensor.nbytes for tensor in tensors)
        if shard.config.dtype != "float32":
            at = 0 if request.stamps is None else 1
            tensors[at] = to_wire(tensors[at], shard.config.dtype)
        return kind(self.rank, "rows", _to_life(asked.life, meta), tensors)

    def _written(self, mail: Mail, request: Request, new: bool) -> list[tuple[int, Mail]]:
        """The acknowledgement of a push or init, and the pulls that waited for it."""
        out = self._reply(mail, "ack", _to_life(mail.meta["n"], {"q": request.number}), not new)
        return out + self._rounds.written() if new else out

    def _reply(self, mail: Mail, kind: str, meta: dict, again: bool = False) -> list[tuple[int, Mail]]:
        return [(mail.src, (Again if again else Mail)(self.rank, kind, meta))]

    def _is_new(self, mail: Mail, request: Request, clock: int | None) -> bool:
        """Note a push or init and count its bytes; False when it was recorded before."""
        if request.shard.config.consistency.delay is not None:
            clock = None                                    # its requests may come after later clocks
        new = self._senders.note_write(mail, whole(mail, "n"), request.number, clock)
        self._count(request)
        self._repeats += not new
        return new

    def _count(self, request: Request) -> None:
        request.shard.counts["keys_in_bytes"] += request.keys_bytes
        request.shard.counts["vals_in_bytes"] += request.vals_bytes


def _to_life(life: int, meta: dict) -> dict:
    """Answers name the life they are meant for, unless it is the first: none must settle what another life asked."""
    return {**meta, "n": life} if life else meta
