"""What ranks tell each other about the run itself: who waits, who has finished, what went wrong.

    blocked ranks ──state, every beat──> rank 0 ──> all blocked, nothing moved for timeout_s?  ──failed──> all
    a rank whose program raised ──failed──> all          a connection that ends before "finish": that rank died
    a rank whose program ended  ──finish: bytes sent, result──> all, who then know the whole ledger

A rank that computes is silent, and a silent rank is no stalled one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .. import agree, wire
from ..errors import CommError, Disagreement, RankDied, Stalled, Wait, stopped_ranks, user_line
from ..face import Mail
from ..ledger import Ledger
from ..process.watch import _raised


class State(NamedTuple):
    """A blocked rank as rank 0 last heard of it."""

    heard_s: float
    moved: int
    wait: Wait
    tensors_out: list[int]
    tensors_in: list[int]
    calls: list                     # its log of collective calls (see `agree`)


class Watch:
    """One run on one rank. `reason` is None until something went wrong; `error` is then raised by every comm call."""

    def __init__(self, endpoint, timeout_s: float, limit_s: float, on_report, neighbours=None):
        self.endpoint, self.timeout_s, self.limit_s, self.on_report = endpoint, timeout_s, limit_s, on_report
        self.neighbours = neighbours
        self.began_s = self.moved_s = time.monotonic()
        self.beat_s = min(1.0, timeout_s / 5)
        self.beaten_s, self.moved = 0.0, -1
        self.differing, self.differ_s = None, 0.0   # a Disagreement, and since when it is known
        self.still: tuple | None = None             # (stopped neighbours, own progress), since `still_s`
        self.still_s = 0.0
        self.states: dict[int, State] = {}
        self.finished: dict[int, Mail] = {}
        self.reason: dict | None = None
        self.error: BaseException | None = None

    # ---- telling ----------------------------------------------------------------------------------------------------

    def beat_is_due(self) -> bool:
        return time.monotonic() - self.beaten_s >= 0.9 * self.beat_s

    def waits(self, waited, since_s: float, where: str, note: str = "") -> None:
        """This rank is blocked: tell rank 0."""
        self.beaten_s = now_s = time.monotonic()
        meta = self._own(waited, since_s, where, note)
        if self.endpoint.rank:
            self.endpoint.tell(0, "state", meta)
        else:
            self._judge(now_s)
        self._look_at_neighbours(now_s)

    def transfers(self, waited, since_s: float) -> None:
        """This rank waits for a large transfer: that is no stall, unless the other end is stopped."""
        self._own(waited, since_s, user_line(3), "the transfer has begun")
        self._look_at_neighbours(time.monotonic())
        self.check()

    def _own(self, waited, since_s: float, where: str, note: str) -> dict:
        """This rank's state, noted here and as it travels."""
        end = self.endpoint
        wait = agree.wait_in(agree.inside(end.logs, getattr(waited, "tag", 0)), end.rank, waited.call(), waited.peer,
                             time.monotonic() - since_s, where, note)
        meta = {"m": end.progressed, "w": _row(wait), "o": end.tensors_out.tolist(), "i": end.tensors_in.tolist(),
                "c": agree.told(end.logs)}
        self._state(end.rank, meta)
        return meta

    def report(self, value) -> None:
        data = wire.encode(value)
        if self.endpoint.rank:
            self.endpoint.tell(0, "report", {"v": data})
        elif self.on_report is not None:
            self.on_report(0, wire.decode(data))

    def finish(self, seconds: float, result: bytes | None) -> None:
        """This rank's program has ended: exchange what everyone sent. Returns when all ranks are here."""
        end = self.endpoint
        end.wait_until(_Flush(end, self), None)
        for work in end.leaving:
            work.finish()
        tensors = [end.counts, end.sent, end.tensors_out, end.tensors_in]
        if result is not None:
            tensors.append(np.frombuffer(result, np.uint8))
        mail = Mail(end.rank, "finish", {"s": seconds, "c": agree.told(end.logs)}, tensors)
        for peer in end.channels:
            end.tell(peer, mail.kind, mail.meta, mail.tensors)
        self.finished[end.rank] = mail
        end.wait_until(_Finish(end, self), None)

    def outcome(self) -> tuple[Ledger, float, list[bytes | None]]:
        """(the whole ledger, seconds, results by rank), once all have finished; Stalled for tensors left behind."""
        mails = [self.finished[rank] for rank in range(self.endpoint.world_size)]
        counts, sent, out, into = (np.stack([np.asarray(mail.tensors[i]) for mail in mails]) for i in range(4))
        ledger = Ledger(len(mails), counts, sent)
        lost = _undelivered(out, into)
        if lost:
            headline, said = "the run ended with messages that nobody received", self._said()
            error = agree.differing(said, (), lost) or Stalled(headline, [], lost, agree.missing(said, []))
            error.ledger = ledger
            raise error
        results = [bytes(np.asarray(mail.tensors[4])) if len(mail.tensors) > 4 else None for mail in mails]
        return ledger, max(mail.meta["s"] for mail in mails), results

    def ledger_so_far(self) -> Ledger:
        """What this rank has sent, in a run that failed."""
        ledger = Ledger(self.endpoint.world_size)
        ledger.counts[self.endpoint.rank], ledger.sent[self.endpoint.rank] = self.endpoint.counts, self.endpoint.sent
        return ledger

    # ---- hearing ----------------------------------------------------------------------------------------------------

    def note(self, mail: Mail) -> None:
        """A note of another rank."""
        if mail.kind == "state":
            self._state(mail.src, mail.meta)
        elif mail.kind == "finish":
            self.finished[mail.src] = mail
            self.states[mail.src] = State(float("inf"), 0, Wait(mail.src, "finished"),
                                          *(np.asarray(t).tolist() for t in mail.tensors[2:4]), mail.meta["c"])
        elif mail.kind == "failed":
            self.fail(mail.meta)
        elif mail.kind == "report" and self.on_report is not None:
            self.on_report(mail.src, wire.decode(mail.meta["v"]))

    def lost(self, peer: int) -> None:
        """A connection ended."""
        if peer not in self.finished:
            self.fail({"kind": "died", "rank": peer, "why": ""})

    def fail(self, reason: dict) -> None:
        """The run is over; the first reason counts, and is what all other ranks are told."""
        if self.reason is None:
            self.reason, self.error = reason, _error(reason)

    def check(self) -> None:
        """Raise what went wrong, here or elsewhere."""
        if self.error is not None:
            raise self.error
        if self.endpoint.launcher not in (None, os.getppid()):
            self.error = CommError(f"rank {self.endpoint.rank}: torchrun, which started this process, is gone")
            raise self.error
        over_s = time.monotonic() - self.began_s - self.limit_s
        if over_s >= (2.0 if self.endpoint.rank else 0.0):           # rank 0 first: it knows who waits for whom
            self._stalled(f"the run did not end within its limit of {self.limit_s:g} s")
            raise self.error

    # ---- rank 0 judges ----------------------------------------------------------------------------------------------

    def _state(self, rank: int, meta: dict) -> None:
        self.states[rank] = State(time.monotonic(), meta["m"], Wait(*meta["w"]), meta["o"], meta["i"], meta["c"])

    def _judge(self, now_s: float) -> None:
        moved = sum(state.moved for state in self.states.values())
        blocked = sum(self._is_fresh(state, now_s) for state in self.states.values())
        if blocked < self.endpoint.world_size or moved != self.moved:
            self.moved, self.moved_s = moved, now_s
        elif now_s - self.moved_s >= self.timeout_s:
            self._stalled(f"nothing has moved for {self.timeout_s:g} s: every rank waits")
        if self.differing is None:
            self.differing, self.differ_s = agree.differing(self._said()), now_s
        if self.differing is not None and self.reason is None and (
                now_s - self.differ_s >= self.beat_s or blocked == self.endpoint.world_size):
            self._stalled("")                               # a beat later, those who came late have told theirs

    def _look_at_neighbours(self, now_s: float) -> None:
        """A stopped process never says that it waits: the ranks of its machine say it for it."""
        stopped = [] if self.neighbours is None else self.neighbours.stopped()
        still = stopped, self.endpoint.progressed
        if not stopped or still != self.still:
            self.still, self.still_s = still, now_s
        elif self.reason is None and now_s - self.still_s >= self.timeout_s + (
                0.0 if 0 in (self.endpoint.rank, *stopped) else 2 * self.beat_s):       # rank 0 first: it knows more
            self._stalled(f"nothing has moved for {self.timeout_s:g} s: {stopped_ranks(stopped)}, and others wait",
                          stopped)

    def _said(self) -> dict[int, list]:
        return {rank: state.calls for rank, state in self.states.items()}

    def _stalled(self, headline: str, stopped: Sequence[int] = ()) -> None:
        now_s, size, end = time.monotonic(), self.endpoint.world_size, self.endpoint
        waits, out, into = [], np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
        for rank in range(size):
            state = self.states.get(rank)
            known = state is not None and (rank == end.rank or self._is_fresh(state, now_s))
            silent = "stopped" if rank in stopped else "unknown" if end.rank else "computing"
            waits.append(state.wait if known and rank not in stopped else Wait(rank, silent))
            if state is not None:
                out[rank], into[rank] = state.tensors_out, state.tensors_in
        lost = _undelivered(out, into) if len(self.states) == size else []
        differing = agree.differing(self._said(), waits, lost) or self.differing
        reason = {"headline": headline, "waits": [_row(wait) for wait in waits], "undelivered": lost}
        if differing is not None:
            self.fail({**reason, "kind": "differing", "headline": differing.headline, "calls": differing.calls})
        else:
            missing = [] if end.rank else agree.missing(self._said(), waits)
            self.fail({**reason, "kind": "stalled", "missing": missing})

    def _is_fresh(self, state: State, now_s: float) -> bool:
        return now_s - state.heard_s < 2.5 * self.beat_s


class _Flush:
    """Sends that a rank who still runs may want to take."""

    def __init__(self, endpoint, watch: Watch):
        self.endpoint, self.watch = endpoint, watch

    @property
    def peer(self) -> int | None:
        return next((dst for dst, _ in self.endpoint.sending if dst not in self.watch.finished), None)

    @property
    def done(self) -> bool:
        return self.peer is None

    def call(self) -> str:
        return "finish: a message is still to be taken"


class _Finish:
    """All ranks have finished, and nothing that was told them lies here any more."""

    peer = None

    def __init__(self, endpoint, watch: Watch):
        self.endpoint, self.watch = endpoint, watch

    @property
    def done(self) -> bool:
        return len(self.watch.finished) == self.endpoint.world_size and not any(
            channel.out for channel in self.endpoint.channels.values())

    def call(self) -> str:
        return "finished"


def _undelivered(out: np.ndarray, into: np.ndarray) -> list[str]:
    """One sentence for each pair of ranks with tensors that were sent and never received; into[rank, src]."""
    missing = out - into.T
    return [f"rank {src} to rank {dst}: {missing[src, dst]} of its tensors"
            for src, dst in zip(*np.nonzero(missing > 0), strict=True)]


def _row(wait: Wait) -> list:
    return [wait.rank, wait.call, wait.peer, wait.waited_s, wait.where, wait.note, wait.inside]


def _error(reason: dict) -> BaseException:
    if reason["kind"] in ("stalled", "differing"):
        waits, lost = [Wait(*row) for row in reason["waits"]], reason["undelivered"]
        if reason["kind"] == "differing":
            return Disagreement(reason["headline"], reason["calls"], waits, lost)
        return Stalled(reason["headline"], waits, lost, reason["missing"])
    if reason["kind"] == "died":
        return RankDied(reason["rank"], note=reason["why"])
    return _raised(reason["rank"], wire.decode(reason["told"]))


