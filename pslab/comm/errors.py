"""Every way a run can fail, in the user's terms.

    Stalled ── Deadlock          nothing moves: a table of who waits for whom, since when, where in the user's code
        └───── Disagreement      ranks of a group made different collective calls: who called what, and where
    RankDied                     a process is gone (signal or exit code)
    RankError                    a rank raised an exception type that the caller does not know
    WireError                    bytes arrived that are not a message of this run
"""

from __future__ import annotations

import os
import signal as _signal
import sys
from dataclasses import dataclass

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class CommError(RuntimeError):
    """Base of the errors that worlds raise. `ledger` holds what had been sent until then, where a world knows it."""

    ledger = None


@dataclass
class Wait:
    """One rank that cannot go on: what it called, whom it waits for, since when (seconds waited), and where."""

    rank: int
    call: str
    peer: int | None = None
    waited_s: float = 0.0
    where: str = ""
    note: str = ""
    inside: tuple[int, int] | None = None       # (group, number) of the collective call that it waits in

    def row(self) -> tuple[str, ...]:
        peer = "anyone" if self.peer is None else f"rank {self.peer}"
        if self.call in ("finished", "computing", "stopped"):
            peer = "-"
        return (str(self.rank), self.call, peer, f"{self.waited_s:.3g} s", self.where or "-", self.note)


def stopped_wait(wait: Wait, signal: int) -> Wait:
    """The row of a rank whose process a signal has stopped (Ctrl-Z, SIGSTOP); what it waited for stays in its note."""
    before = "" if wait.call == "computing" else f"; it was in {wait.call}"
    return Wait(wait.rank, "stopped", None, wait.waited_s, wait.where,
                f"by signal {signal} ({_signal_name(signal)}){before}", wait.inside)


class Stalled(CommError):
    """Nothing in the world progressed, or a message was left that nobody received.

    `waits` holds one `Wait` a rank (in the simulator, also one for what it has in the background and waits for there);
    `undelivered` one sentence for each message that nobody received; `missing` one for
    each collective call that some ranks of its group have not made.
    """

    def __init__(self, headline: str, waits: list[Wait] | None = None, undelivered: list[str] | None = None,
                 missing: list[str] | None = None):
        self.headline, self.waits, self.undelivered = headline, list(waits or []), list(undelivered or [])
        self.missing = list(missing or [])
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [self.headline, *self.missing]
        if self.waits:
            lines += table(("rank", "call", "waiting for", "waited", "where", ""), [w.row() for w in self.waits])
        if self.undelivered:
            lines.append("sent, but never received:")
            lines += ["  " + message for message in self.undelivered]
        return "\n".join(lines)


class Deadlock(Stalled):
    """The simulator's `Stalled`: it knows at once that no rank can ever move again."""


class Disagreement(Stalled, ValueError):
    """Ranks of a group made different collective calls (another one, or another op, root, dtype, length, …).

    `calls` holds (ranks, call, where) for each kind of call. Found when messages of such calls wait for each other, or
    at the end of the run, when they are left over; until then no value of one has got into another.
    """

    def __init__(self, headline: str, calls: list[tuple[str, str, str]] | None = None, waits: list[Wait] | None = None,
                 undelivered: list[str] | None = None):
        self.calls = [tuple(row) for row in calls or ()]
        super().__init__(headline, waits, undelivered)

    def _text(self) -> str:
        if not self.calls:
            return self.headline
        rows = table(("ranks", "call", "where"), self.calls)
        return "\n".join([self.headline, *rows, "all ranks of a group must make the same collective calls, with equal "
                          "arguments, in the same order"])


class RankDied(CommError):
    """A rank's process ended before its program did. `signal` or `exitcode` says how, where it is known."""

    def __init__(self, rank: int, signal: int | None = None, exitcode: int | None = None, note: str = ""):
        self.rank, self.signal, self.exitcode = rank, signal, exitcode
        if signal is not None:
            how = f"was killed by signal {signal} ({_signal_name(signal)})"
        elif exitcode is not None:
            how = f"left with exit code {exitcode} before its program ended"
        else:
            how = "is gone: its connection ended before its program did"
        super().__init__(f"rank {rank} {how}" + (f"; {note}" if note else ""))


class RankError(CommError):
    """A rank raised an exception whose type only the rank knows; its traceback is the note of this error."""

    def __init__(self, rank: int, type_name: str, message: str):
        self.rank, self.type_name, self.message = rank, type_name, message
        super().__init__(f"rank {rank} raised {type_name}: {message}")


class WireError(CommError):
    """Bytes that are not a whole message of this kit, or not of this run."""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Left-aligned text table; columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [head, *rows]]


def rank_list(ranks) -> str:
    """0, 1, 2, 5 as 0-2, 5."""
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and runs[-1][1] == rank - 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ", ".join(str(first) if first == last else f"{first}{', ' if last == first + 1 else '-'}{last}"
                     for first, last in runs)


def stopped_ranks(ranks) -> str:
    """`rank 2 is stopped by a signal`."""
    ranks = list(ranks)
    return f"rank{'s' * (len(ranks) > 1)} {rank_list(ranks)} {'are' if len(ranks) > 1 else 'is'} stopped by a signal"


def user_line(depth: int = 1) -> str:
    """`file.py:12 in program` of the innermost frame outside the kit, or, when all are ours, outside this room."""
    return frame_line(sys._getframe(depth))


def frame_line(frame) -> str:
    """As `user_line`, from a given frame outwards (the simulator asks for the line of a suspended rank).

    What lies further in than our first frame is machinery (a lock that a suspended thread waits for).
    """
    ours, seen, room = None, False, os.path.dirname(os.path.abspath(__file__)) + os.sep
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGE):
            seen = True
            if frame.f_code.co_name == "carry_out":             # of a strand: the line that started it
                return frame.f_locals["where"]
            if ours is None and not name.startswith(room):
                ours = frame
        elif seen and "importlib" not in name:
            return _where(frame)
        frame = frame.f_back
    return _where(ours) if ours is not None else ""


def _where(frame) -> str:
    return place(frame.f_code, frame.f_lasti)


def place(code, at: int) -> str:
    """file:line in function, of the instruction at byte `at` of the code."""
    name = code.co_filename
    short = "notebook cell" if "ipykernel" in name or name.startswith("<ipython") else os.path.basename(name)
    line = next((line for start, end, line in code.co_lines() if start <= at < end), None)
    return f"{short}:{line or code.co_firstlineno} in {code.co_name}"


def _signal_name(number: int) -> str:
    try:
        return _signal.Signals(number).name
    except ValueError:
        return "unknown"
