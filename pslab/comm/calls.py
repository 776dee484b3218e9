"""Who called which collective: every rank keeps a log, so that ranks who differ never meet, and can be told apart.

    rank 0   call 7   all_reduce(float32[4], op='sum')   a.py:3  ─┐ equal calls give equal tags (see `tags`):
    rank 1   call 7   all_reduce(float32[4], op='sum')   a.py:3  ─┘ their messages meet
    rank 2   call 7   all_reduce(float32[4], op='max')   a.py:5     another tag: its messages meet nobody's

Nothing is sent for it. The messages of a collective connect all ranks of its group; so where ranks differ, some message
between two that differ is never received: somebody waits for ever, or it is left over at the end of the run. Either
ends the run, and `agree` says then, from the logs of all ranks, who called what, and where.
Two calls that differ in what they ask for have equal tags once in 2³¹ times; those that differ in length alone, never.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Sequence

from .errors import place
from .tags import ASKED, ASKED_AT, COLLECTIVE_TAGS, COUNT

KEPT = 16                               # calls of each group that a log remembers
_SPREAD = 0x9E3779B1                    # odd: lengths that differ stay different modulo 2³¹
_OURS = tuple(os.path.dirname(os.path.abspath(__file__))[:-len("comm")] + room + os.sep
              for room in ("comm", "collectives"))
_FIELDS = {"broadcast": ("src", "algorithm"), "reduce_scatter": ("op", "algorithm"), "all_gather": ("algorithm",),
           "all_reduce": ("op", "algorithm", "chunks", "groups", "partner"), "all_to_all": ("algorithm",),
           "reduce": ("dst", "op", "algorithm"), "scatter": ("src", "algorithm"), "gather": ("dst", "algorithm"),
           "barrier": (), "split": ()}
_known: dict[tuple, tuple[int, int]] = {}


class CallLog:
    """The collective calls of one rank in one group, the last KEPT of them."""

    __slots__ = ("_asked", "count", "last", "members")

    def __init__(self, members: Sequence[int], ctx: int):
        self.members, self.count, self._asked = members, 0, ctx
        self.last: list = [None] * KEPT

    def note(self, name: str, dtype, size: int, what: tuple) -> int:
        """Write down a call that is made now, and give its tag. 0.4 µs: it is paid by every collective."""
        self.count = count = self.count + 1
        try:
            head, asked = _known[name, dtype, what]
        except KeyError:
            head, asked = _learn(name, dtype, what)
        frame = sys._getframe(3)                         # note <- Comm.calling <- the collective <- who called it
        code = frame.f_code
        while code.co_filename.startswith(_OURS) and frame.f_back is not None:
            if code.co_name == "carry_out":              # of a strand: the line that started it
                code = frame.f_locals["where"]
                break
            frame = frame.f_back
            code = frame.f_code
        tag = head + ((asked + self._asked + size * _SPREAD & ASKED) << ASKED_AT) + (count & COUNT)
        self.last[count % KEPT] = (tag, name, dtype, size, what, code, frame.f_lasti)
        return tag

    def find(self, tag: int) -> int:
        """The number of the call that has this tag; 0 where none has that is remembered."""
        number = self.count - ((self.count - tag) & COUNT)
        record = self.last[number % KEPT] if self.count - KEPT < number <= self.count else None
        return number if record is not None and record[0] == tag else 0

    def text(self, number: int) -> str:
        return call_text(*self.last[number % KEPT][1:5])

    def calls(self) -> list[list]:
        """[number, call, where] of what is remembered, oldest first."""
        numbers = range(max(self.count - KEPT, 0) + 1, self.count + 1)
        return [[number, self.text(number), self._where(number)] for number in numbers]

    def _where(self, number: int) -> str:
        code, at = self.last[number % KEPT][5:]
        return code if isinstance(code, str) else place(code, at)


def _learn(name: str, dtype, what: tuple) -> tuple[int, int]:
    """The parts of the tag that do not depend on the length; few kinds of calls recur often, so they are remembered."""
    if len(_known) > 4096:
        _known.clear()
    text = call_text(name, dtype, -1, what)
    parts = _known[name, dtype, what] = COLLECTIVE_TAGS[name], zlib.crc32(text.encode()) & ASKED
    return parts


def call_text(name: str, dtype, size: int, what: tuple) -> str:
    """The call as a user would write it: all_reduce(float32[4], op='sum', algorithm='ring')."""
    words = [] if dtype is None else [str(dtype).removeprefix("torch.") + (f"[{size}]" if size >= 0 else "")]
    for field, value in zip(_FIELDS[name], what, strict=True):
        if value is not None:
            words.append(f"{field}={value!r}")
    return f"{name}({', '.join(words)})"
