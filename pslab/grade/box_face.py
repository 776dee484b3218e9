"""The `comm` of an exercise: what the exercise is about, and nothing that would do it for the student.

    tensors    rank  world_size  send  recv  isend  irecv  compute  now
    mail       the same and  post  poll

It is no `pslab.comm.Comm`. Called from inside another room of the kit (a collective, a server) it refuses: that room
would be the answer.
"""

from __future__ import annotations

import sys

from .box_guard import Guard

TENSORS = ("send", "recv", "isend", "irecv", "compute", "now")
MAIL = ("post", "poll")
_OURS = ("pslab.grade.", "pslab.comm.")


class ExerciseComm:
    """One rank's face of the exercise."""

    def __init__(self, comm, face: str, guard: Guard):
        self.rank, self.world_size = comm.rank, comm.world_size
        for name in TENSORS + (MAIL if face == "mail" else ()):
            setattr(self, name, _guarded(getattr(comm, name), guard))

    def __getattr__(self, name: str):
        raise AttributeError(f"the comm of this exercise has no {name!r}; it has "
                             f"{', '.join(sorted(vars(self)))}")

    def __repr__(self) -> str:
        return f"ExerciseComm(rank {self.rank} of {self.world_size})"


def _guarded(method, guard: Guard):
    def call(*args, **kwargs):
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__", "").startswith("pslab."):
            _refuse(caller, guard)
        return method(*args, **kwargs)

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


def _refuse(frame, guard: Guard) -> None:
    """Name the function of the kit that was called with the exercise's comm, the outermost one."""
    called = frame
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("pslab.") and not name.startswith(_OURS):
            called = frame
        elif frame.f_code.co_filename in guard.files:
            break
        frame = frame.f_back
    room = ".".join(called.f_globals["__name__"].split(".")[:2])
    guard.refuse(f"called {room}.{called.f_code.co_name}; this exercise asks you to build it")
