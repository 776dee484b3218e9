"""The `comm` of an exercise: what the exercise is about, and nothing that would do it for the student.

    tensors    rank  world_size  send  recv  isend  irecv  compute  now
    mail       the same and  post  poll

It is no `pslab.comm.Comm`. Called from inside another room of the kit (a collective, a server) it refuses: that room
would be the answer.
"""

from __future__ import annotations

import sys

TENSORS = ("send", "recv", "isend", "irecv", "compute", "now")
MAIL = ("post", "poll")
_OURS = ("pslab.grade.", "pslab.comm.", "pslab.exercises.")     # of the last: programs around an answer (`within`)


class ExerciseComm:
    """One rank's face of the exercise."""

    def __init__(self, comm, face: str):
        self.rank, self.world_size = comm.rank, comm.world_size
        for name in TENSORS + (MAIL if face == "mail" else ()):
            setattr(self, name, _guarded(getattr(comm, name)))

    def __getattr__(self, name: str):
        _look_for_rooms(sys._getframe(1))                 # a collective that asks for more than there is
        raise AttributeError(f"the comm of this exercise has no {name!r}; it has "
                             f"{', '.join(sorted(vars(self)))}")

    def __repr__(self) -> str:
        return f"ExerciseComm(rank {self.rank} of {self.world_size})"


def _guarded(method):
    """The method, kept where the student's code finds no way to it (box_guard.py)."""
    kept: list[int] = []
    sys.audit("pslab.guard.keep", method, kept)
    at = kept[0]

    def call(*args, **kwargs):
        lent = []
        sys.audit("pslab.guard.lend", at, lent)
        return lent[0](*args, **kwargs)

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


BORROWER = _guarded


def _look_for_rooms(frame) -> None:
    """Refuse where a function of another room is at work, called with this comm or with one that wraps it. The
    outermost is named."""
    called = None
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("pslab.") and not name.startswith(_OURS):
            called = frame
        frame = frame.f_back
    if called is not None:
        room = ".".join(called.f_globals["__name__"].split(".")[:2])
        sys.audit("pslab.guard.refuse", f"called {room}.{called.f_code.co_name}; this exercise asks you to build it")
