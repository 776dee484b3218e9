"""world="process" in the box: launcher and ranks forked from the student's process, which has torch loaded already.

    student's process ─fork─> launcher ─fork─> rank 0, rank 1, …      each: guard on, then function(comm, *args)
          └── watches the run as any caller of ProcessWorld does

The function is there before the fork, so nothing of it has to travel; and what one rank changes in its memory, no other
sees.
"""

from __future__ import annotations

import functools
import sys

from pslab import comm as ground

from . import box_child
from .box_face import ExerciseComm
from .box_guard import Guard

_STALL, _LIMIT = 0.7, 0.85             # of the time that the grader waits
_given: dict = {}                      # what a rank finds in its copy of this process


def run_processes(function, arguments: list, asked: dict, guard: Guard, limits: dict) -> dict:
    from .box_runs import reply_of

    _given.update(function=function, guard=guard, limits=limits)
    timeout_s = asked["timeout_s"]
    per_rank = [tuple(mine) for mine in arguments] if asked["per_rank"] else None
    world = ground.ProcessWorld(asked["world_size"], link=asked["link"], seed=asked["seed"], trace=asked["trace"])
    ground.fork_launcher()
    try:
        with world:
            done = world.run(functools.partial(rank, asked["face"]), *([] if per_rank else arguments),
                             per_rank=per_rank, timeout_s=timeout_s * _STALL, limit_s=timeout_s * _LIMIT)
    finally:
        ground.end_launcher()
    return reply_of(done, None)


def rank(face: str, comm, *args):
    """One rank, in its process."""
    given = _given.copy()
    _given.clear()                     # nothing that the student's code could look into
    guard = given["guard"]
    sys.stdout = box_child.Counted(sys.stdout, given["limits"]["output_bytes"])
    guard.switch(True)
    try:
        return given["function"](ExerciseComm(comm, face), *args)
    finally:
        guard.switch(False)
        box_child.look_for_changes(guard)
