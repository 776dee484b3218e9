"""Runs inside the student's process: ranks in the simulator, or real ones that are forked from here.

    sim        SimWorld in this process                     results, ledger, trace, prints, peak memory
    process    launcher and ranks forked from this process  (torch is loaded already), same walls, same guard
"""

from __future__ import annotations

import os
import re
import sys
import zlib

import numpy as np
import torch

from pslab import comm as ground
from pslab.comm import decode

from . import box_walls
from .box_face import ExerciseComm
from .box_guard import Guard
from .box_signs import is_cell_of_kernel, place

_MARGIN = 0.7                   # of the time that the grader waits: so that the table of a stall comes before the end


def run(function, asked: dict, guard: Guard, limits: dict) -> dict:
    arguments = decode(asked["arguments"])
    if asked["world"] == "sim":
        return _simulate(function, arguments, asked, guard, limits)
    from .box_ranks import run_processes
    return run_processes(function, arguments, asked, guard, limits)


def _simulate(function, arguments: list, asked: dict, guard: Guard, limits: dict) -> dict:
    from .box_child import Counted

    counted, changed = None, []

    def program(comm, *args):
        nonlocal counted
        if counted is None:                               # over the simulator's own collector of prints
            counted = sys.stdout = Counted(sys.stdout, limits["output_bytes"])
        before = [seal_of(arg) for arg in args]
        result = function(ExerciseComm(comm, asked["face"]), *args)
        changed.extend([comm.rank, i] for i, arg in enumerate(args) if seal_of(arg) != before[i])
        return result

    world = ground.SimWorld(asked["world_size"], link=asked["link"], links=asked["links"], seed=asked["seed"],
                            faults=asked["faults"], trace=asked["trace"])
    given = {"per_rank": arguments} if asked["per_rank"] else {}
    memory = Memory()
    guard.switch(True)
    try:
        done = world.run(program, *([] if given else arguments), timeout_s=asked["timeout_s"] * _MARGIN, **given)
    finally:
        guard.switch(False)
    return {**reply_of(done, memory.peak_bytes()), "changed_inputs": sorted(changed)}


def seal_of(argument) -> int | None:
    """A checksum of a tensor's or an array's bytes, None for anything else: whether a rank changed its arguments."""
    if isinstance(argument, np.ndarray):
        return zlib.crc32(np.ascontiguousarray(argument).reshape(-1).view(np.uint8))
    if isinstance(argument, torch.Tensor) and not argument.is_sparse:
        return zlib.crc32(argument.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return None


def reply_of(done, peak_bytes: int | None) -> dict:
    """A run in the wire format."""
    return {"what": "run", "results": done.results, "seconds": done.seconds, "prints": done.prints,
            "peak_bytes": peak_bytes, **_traffic(done.ledger, done.trace)}


def _traffic(ledger, trace) -> dict:
    return {"counts": ledger.counts, "sent": ledger.sent, "events": [list(e) for e in trace.events],
            "spans": [list(s) for s in trace.spans]}


def told(error: ground.CommError) -> tuple[str, str, dict | None, bool]:
    """(kind, seen, what had been sent until then, whether this process is as good as before)."""
    ledger, trace = error.ledger, getattr(error, "trace", None)
    run = None
    if ledger is not None:
        k = ledger.world_size
        run = {"what": "run", "results": [None] * k, "seconds": 0.0, "prints": [""] * k, "peak_bytes": None,
               **_traffic(ledger, trace or ground.Trace(k))}
    text = str(error)
    if isinstance(error, ground.Stalled):
        hung = [wait for wait in error.waits if wait.call == "computing" and wait.note == "real seconds"]
        waiting = [wait for wait in error.waits if wait.call not in ("computing", "finished")]
        late = hung or (error.waits and not waiting)      # nobody waits for anybody: some rank never ends
        return ("TimedOut" if late else "Stalled"), text, run, not late
    if isinstance(error, ground.RankDied):
        return "Died", text, run, True
    if "isend(" in text and "changed" in text:
        return "BufferChanged", text, run, True
    return "Raised", f"{type(error).__name__}: {text}", run, True


_FRAME = re.compile(r'^  File "(.*)", line (\d+), in (.*)$', re.MULTILINE)


def line_in_notes(error: BaseException, files: set[str]) -> str:
    """The student's line in the traceback that a rank's process sent, or in a table of who waits."""
    for note in getattr(error, "__notes__", []):
        found = [match for match in _FRAME.findall(note) if match[0] in files]
        if found:
            return place(*found[-1])
    for wait in getattr(error, "waits", []):
        for file in files:
            shown = "notebook cell" if is_cell_of_kernel(file) else os.path.basename(file)
            match = re.match(rf"{re.escape(shown)}:(\d+) in (.*)", wait.where)
            if match:
                return place(file, match[1], match[2])
    return ""


class Memory:
    """By how much this process's resident memory rises: the kernel's own high-water mark, set back first."""

    def __init__(self):
        self._before = None
        if box_walls.clear_refs is not None:
            os.write(box_walls.clear_refs, b"5")
            self._before = _status("VmRSS")

    def peak_bytes(self) -> int | None:
        return None if self._before is None else max(_status("VmHWM") - self._before, 0)


def _status(row: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(row))
