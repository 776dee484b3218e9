"""The caller during a run: collects answers, and looks for what can go wrong.

    every event, at the latest every TICK_S:   answers ─ deaths ─ stall? ─ calls that differ? ─ limit?
"""

from __future__ import annotations

import builtins
import os
import select
import sys
import time

from .. import agree, errors, wire
from ..errors import CommError, RankDied, RankError, Stalled, stopped_ranks
from .rank import ANSWER, ERROR, REPORT

TICK_S = 0.05
SETTLE_S = 2.0                # when calls differ: so long those who are still at work have to tell what they called


class Watch:
    """One run of `ranks`."""

    def __init__(self, ranks, epoch: int, timeout_s: float, limit_s: float, on_report, live: bool):
        self.ranks, self.epoch, self.timeout_s, self.limit_s = ranks, epoch, timeout_s, limit_s
        self.on_report, self.live = on_report, live
        self.size = len(ranks.pids)
        self.results: list = [None] * self.size
        self.notes: list = [None] * self.size          # for the trace
        self.left = set(range(self.size))
        self.buffers = [bytearray() for _ in range(self.size)]
        self.shown = [0] * self.size
        self.prints: list[str] = [""] * self.size
        self.ledger = None
        ranks.board.clear()
        for pair in ranks.outputs:
            for descriptor in pair:
                os.ftruncate(descriptor, 0)

    def start(self, blobs: list[bytes]) -> None:
        for rank, blob in enumerate(blobs):
            self.ranks.start(rank, self.epoch, blob)
        self.started_s = time.monotonic()

    def until_done(self) -> tuple[list, list, float]:
        """(results by rank, notes for the trace, seconds); raises the first failure."""
        try:
            self._collect()
            seconds = time.monotonic() - self.started_s
            if self.ranks.board.undelivered():
                raise self._verdict("the run ended with messages that nobody received", ended=True)
        except CommError as error:
            error.ledger = self.ranks.board.ledger()         # it outlives the ranks
            raise
        except KeyboardInterrupt as error:                   # who is interrupted often waited for a reason
            error.add_note(str(Stalled("when the run was interrupted:", self.ranks.board.waits())))
            raise
        finally:
            self.ledger = self.ranks.board.ledger()
            self._show()
        return self.results, self.notes, seconds

    def _collect(self) -> None:
        poller, by_fd = select.poll(), {}
        for rank, control in enumerate(self.ranks.controls):
            by_fd[control.fileno()] = rank
            poller.register(control, select.POLLIN)
        poller.register(self.ranks.launcher.control, select.POLLIN)
        moved, moved_s, news, differing, differ_s = -1, time.monotonic(), 0, None, 0.0
        while self.left:
            ready = poller.poll(TICK_S * 1000)
            for fd, _ in ready:
                if fd in by_fd:
                    self._hear(by_fd[fd])
            self._check_deaths(0.0)
            now_s, board = time.monotonic(), self.ranks.board
            if self.live:
                self._show_new()
            progress = board.progress() - len(self.left)
            stopped = self._stopped()
            if progress != moved or board.can_move(stopped):
                moved, moved_s = progress, now_s
            elif now_s - moved_s >= self.timeout_s:
                who = f"{stopped_ranks(stopped)}, the others wait" if stopped else "every rank waits"
                raise self._verdict(f"nothing has moved for {self.timeout_s:g} s: {who}")
            if board.news() not in (0, news):
                news = board.news()
                found = agree.differing(board.said(), board.waits(stopped), board.undelivered()) or differing
                differ_s = now_s if differing is None else differ_s
                differing = found
            settle_s = min(SETTLE_S, self.timeout_s)
            if differing is not None and (now_s - differ_s > settle_s or not board.can_move(stopped)):
                raise differing
            if now_s - self.started_s >= self.limit_s:
                raise self._verdict(f"the run did not end within its limit of {self.limit_s:g} s")

    def _verdict(self, headline: str, ended: bool = False) -> Stalled:
        """A Disagreement where the ranks' collective calls differ; else who waits, and who is missing."""
        board = self.ranks.board
        said, waits, undelivered = board.said(), [] if ended else board.waits(self._stopped()), board.undelivered()
        return agree.differing(said, waits, undelivered) or Stalled(headline, waits, undelivered,
                                                                    agree.missing(said, waits))

    def _stopped(self) -> dict[int, int]:
        """The signal by which each stopped rank was stopped."""
        return {rank: signal for rank, pid in enumerate(self.ranks.pids)
                if (signal := self.ranks.launcher.stopped(pid))}

    def _hear(self, rank: int) -> None:
        """Take in what a rank says on its control socket."""
        control, buffer = self.ranks.controls[rank], self.buffers[rank]
        try:
            data = control.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._check_deaths(2.0, rank)
            raise CommError(f"rank {rank} hung up without leaving")
        buffer += data
        while len(buffer) >= ANSWER.size:
            magic, what, epoch, size = ANSWER.unpack_from(buffer)
            if magic != wire.MAGIC:
                raise errors.WireError(f"rank {rank} answered with foreign bytes")
            if len(buffer) < ANSWER.size + size:
                return
            body = bytes(buffer[ANSWER.size:ANSWER.size + size])
            del buffer[:ANSWER.size + size]
            if epoch != self.epoch:
                continue
            value = wire.decode(body)
            if what == REPORT:
                if self.on_report is not None:
                    self.on_report(rank, value)
            elif what == ERROR:
                if value["type"] == "WireError":                 # the loss of a peer: of which one, is the better news
                    self._check_deaths(0.3, rank)
                    self._check_deaths(0.0)
                raise _raised(rank, value)
            else:
                self.results[rank] = wire.decode(value[0])
                self.notes[rank] = value[1]
                self.left.discard(rank)

    def _check_deaths(self, timeout_s: float, first: int | None = None) -> None:
        for rank, pid in enumerate(self.ranks.pids):
            status = self.ranks.launcher.death(pid, timeout_s if rank == first else 0.0)
            if status is not None:
                if os.WIFSIGNALED(status):
                    raise RankDied(rank, signal=os.WTERMSIG(status))
                raise RankDied(rank, exitcode=os.WEXITSTATUS(status))

    # ---- prints ----

    def _show_new(self) -> None:
        for rank, (out, _) in enumerate(self.ranks.outputs):
            text = os.pread(out, 1 << 20, self.shown[rank])
            whole = text[:text.rfind(b"\n") + 1]
            if whole:
                self.shown[rank] += len(whole)
                for line in whole.decode(errors="replace").splitlines():
                    print(f"[rank {rank}] {line}", flush=True)

    def _show(self) -> None:
        """Everything printed, by rank; what was not shown live is shown now."""
        for rank, (out, err) in enumerate(self.ranks.outputs):
            text = os.pread(out, os.fstat(out).st_size, 0)
            self.prints[rank] = text.decode(errors="replace")
            sys.stdout.write(text[self.shown[rank]:].decode(errors="replace"))
            sys.stderr.write(os.pread(err, os.fstat(err).st_size, 0).decode(errors="replace"))
        sys.stdout.flush()


def _raised(rank: int, told: dict) -> BaseException:
    """The exception of a rank, as the caller's own: builtin types and ours as they are, others as RankError."""
    kind = getattr(builtins, told["type"], None) if told["module"] == "builtins" else None
    if told["type"] == "SystemExit":
        code = told["args"][0] if told["args"] else 0
        known = isinstance(code, int)
        return RankDied(rank, exitcode=code if known else 1, note="" if known else told["text"])
    if kind is None and told["module"] == errors.__name__:
        kind = getattr(errors, told["type"], None)
        if kind is not None and issubclass(kind, (RankDied, RankError)):
            kind = None
    error = None
    if isinstance(kind, type) and issubclass(kind, BaseException):
        try:
            error = kind(*(told["args"] or [told["text"]]))
        except (TypeError, ValueError) as refused:            # a constructor that wants something else
            error = RankError(rank, told["type"], f"{told['text']} ({refused})")
    if error is None:
        error = RankError(rank, told["type"], told["text"])
    error.add_note(f"raised by rank {rank}:\n{told['traceback'].rstrip()}")
    return error


