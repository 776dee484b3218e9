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
_KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OURS = (_KIT + "comm" + os.sep, _KIT + "collectives" + os.sep)
_FIELDS = {"broadcast": ("src", "algorithm"), "reduce_scatter": ("op", "algorithm"), "all_gather": ("algorithm",),
           "all_reduce": ("op", "algorithm", "chunks", "groups", "partner"), "all_to_all": ("algorithm",),
           "reduce": ("dst", "op", "algorithm"), "scatter": ("src", "algorithm"), "gather": ("dst", "algorithm"),
           "barrier": (), "split": ()}


class CallLog:
    """The collective calls of one rank in one group, the last KEPT of them."""

    __slots__ = ("_known", "_mix", "count", "last", "members")

    def __init__(self, members: Sequence[int], ctx: int):
        self.members, self.count, self._mix = members, 0, ctx
        self.last: list = [None] * KEPT
        self._known: dict[tuple, int] = {}

    def note(self, *call) -> int:
        """Write down a call that is made now, and give its tag: `Comm.calling`. Every collective pays for it, 0.4 µs.

        call   collective, dtype or None, elements or -1 where lengths may differ, and a value for each of its _FIELDS
        """
        self.count = count = self.count + 1
        try:
            tag = self._known[call] + (count & COUNT)
        except KeyError:
            tag = self._learn(*call) + (count & COUNT)
        frame = sys._getframe(2)                         # note <- the collective <- who called it
        code = frame.f_code
        if code.co_filename.startswith(_KIT):
            frame, code = _outside(frame)
        self.last[count % KEPT] = (tag, call, code, frame.f_lasti)
        return tag

    def find(self, tag: int) -> int:
        """The number of the call that has this tag; 0 where none has that is remembered."""
        number = self.count - ((self.count - tag) & COUNT)
        record = self.last[number % KEPT] if self.count - KEPT < number <= self.count else None
        return number if record is not None and record[0] == tag else 0

    def text(self, number: int) -> str:
        return call_text(*self.last[number % KEPT][1])

    def calls(self) -> list[list]:
        """[number, call, where] of what is remembered, oldest first."""
        numbers = range(max(self.count - KEPT, 0) + 1, self.count + 1)
        records = [(number, self.last[number % KEPT]) for number in numbers]
        return [[number, call_text(*record[1]), _where(*record[2:])] for number, record in records
                if record is not None and (record[0] - number) & COUNT == 0]          # else a strand notes it just now

    def _learn(self, collective: str, dtype, size: int, *what) -> int:
        """The tag without the count. Few calls recur often, so they are remembered."""
        if len(self._known) > 1024:
            self._known.clear()
        asked = zlib.crc32(call_text(collective, dtype, -1, *what).encode()) + self._mix + size * _SPREAD
        base = COLLECTIVE_TAGS[collective] + ((asked & ASKED) << ASKED_AT)
        self._known[collective, dtype, size, *what] = base
        return base


def call_text(collective: str, dtype, size: int, *what) -> str:
    """The call as a user would write it: all_reduce(float32[4], op='sum', algorithm='ring')."""
    words = [] if dtype is None else [str(dtype).removeprefix("torch.") + (f"[{size}]" if size >= 0 else "")]
    for field, value in zip(_FIELDS[collective], what, strict=True):
        if value is not None:
            words.append(f"{field}={value!r}")
    return f"{collective}({', '.join(words)})"


def _where(code, at: int) -> str:
    return code if isinstance(code, str) else place(code, at)


def _outside(frame):
    """(frame, code) of the first frame outwards that is in neither this room nor the collectives'.

    A strand has no such frame: the line that started it stands for the code.
    """
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        if frame.f_code.co_name == "carry_out":
            return frame, frame.f_locals["where"]
        frame = frame.f_back
    return frame, frame.f_code
