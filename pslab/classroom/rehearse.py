"""A rehearsal: every cell of a chapter up to its last demonstration, once, in a fresh kernel on this machine.

    cell 9    0.12 s   viz.links(ring.ledger          a demonstration should take at most 10 s
    cell 21   1.40 s   ring_world, server_world       on a stage a picture should be at most 1280 x 720
    …
    launcher: first call 1.4 s, warm call 1.2 ms      measured in the same kernel

What a rehearsal leaves warm is the machine: files in memory, compiled modules, fonts. The launcher belongs to a kernel;
the class's own kernel warms its own when its cells run for the first time.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .chapter import Cell, Chapter

DEMO_LIMIT_S = 10.0
CELL_TIMEOUT_S = 60.0
STAGE_PX = (1280, 720)
_WARMTH = """
import json as _json, time as _time
from pslab.comm import ProcessWorld as _World
with _World(2) as _world:
    _t = [_time.perf_counter()]
    for _ in range(4):
        _world.run(lambda comm: None)
        _t.append(_time.perf_counter())
print(_json.dumps({"first_call_s": _t[1] - _t[0], "warm_call_s": min(b - a for a, b in zip(_t[1:], _t[2:]))}))
"""


@dataclass(frozen=True)
class Shown:
    """One cell of a rehearsal: seconds, and what is wrong with it, if anything."""

    cell: Cell
    seconds: float
    problem: str = ""


@dataclass
class Rehearsal:
    """What happened. `not_run`: the demonstrations after the cell that stopped it."""

    chapter: str
    stage: bool
    shown: list[Shown] = field(default_factory=list)
    not_run: list[Cell] = field(default_factory=list)
    warmth: dict[str, float] = field(default_factory=dict)

    @property
    def problems(self) -> list[Shown]:
        return [shown for shown in self.shown if shown.problem]

    @property
    def fine(self) -> bool:
        return not self.problems and not self.not_run


def rehearse(chapter: Chapter, *, stage: bool = False, limit_s: float = DEMO_LIMIT_S,
             cell_timeout_s: float = CELL_TIMEOUT_S, told: Callable[[Shown], None] = lambda shown: None,
             record: Path | None = None) -> Rehearsal:
    """Run the chapter's cells in order up to its last demonstration; `told` hears of each as it ends.

    stage: pictures in the style for a projector. limit_s: what one cell may take before it is a problem.
    cell_timeout_s: when a cell is stopped, and the rehearsal with it. record: write the notebook with these outputs.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if record is not None and record.suffix != ".ipynb":
        raise ValueError(f"record={str(record)!r}; a name that ends in .ipynb is needed")
    live = chapter.live
    if not live:
        raise ValueError(f"chapter {chapter.number} has no code cell to show")
    notebook = nbformat.read(chapter.notebook, as_version=4)
    client = NotebookClient(notebook, timeout=cell_timeout_s, kernel_name="python3",
                            extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": str(chapter.notebook.parent)}})
    client.store_widget_state = False
    done = Rehearsal(chapter.number, stage)
    # progress and predictions of a rehearsal go to a folder that is gone afterwards
    with tempfile.TemporaryDirectory() as home, client.setup_kernel(env=_environment(stage, home)):
        for place, cell in enumerate(chapter.cells):
            if cell.number > live[-1].number:
                break
            start = time.perf_counter()
            problem, stop = "", False
            try:
                client.execute_cell(notebook.cells[cell.number - 1], cell.number - 1)
            except CellExecutionError as error:
                problem, stop = f"it raises {error.ename}: {error.evalue}", True
            except CellTimeoutError:
                problem, stop = f"it was stopped after {cell_timeout_s:g} s", True
            except DeadKernelError:
                problem, stop = "the kernel died in it", True
            seconds = time.perf_counter() - start
            if cell in live and not problem:  # what nobody waits for or looks at may be slow and large
                problem = _slow(seconds, limit_s) or (_too_large(notebook.cells[cell.number - 1]) if stage else "")
            done.shown.append(Shown(cell, seconds, problem))
            told(done.shown[-1])
            if stop:
                done.not_run = [later for later in chapter.cells[place + 1:] if later in live]
                break
        else:
            stop = False
        if not stop:
            done.warmth = _warmth(client, notebook)
    if record is not None:
        nbformat.write(notebook, record)
    return done


def told_line(shown: Shown) -> str:
    """One line of the report: number, seconds, the words that name it, and what is wrong."""
    what = shown.cell.live or shown.cell.source.strip().splitlines()[0]
    line = f"  {'live' if shown.cell.live else '    '} cell {shown.cell.number:<4} {shown.seconds:6.2f} s   {what[:64]}"
    return line + (f"\n       PROBLEM: {shown.problem}" if shown.problem else "")


def summary(done: Rehearsal, chapter: Chapter) -> str:
    """What the class needs to know before it starts, in a few lines."""
    live = [shown for shown in done.shown if shown.cell in chapter.live]
    total_s = sum(shown.seconds for shown in done.shown)
    lines = ["", f"{len(live)} of {len(chapter.live)} demonstrations ran; {len(done.shown)} cells took {total_s:.1f} s "
             "together."]
    if live:
        slowest = max(live, key=lambda shown: shown.seconds)
        lines.append(f"The slowest demonstration is cell {slowest.cell.number} with {slowest.seconds:.2f} s.")
    slow = [shown for shown in done.shown if shown.seconds > DEMO_LIMIT_S and shown not in live]
    for shown in slow:
        lines.append(f"Cell {shown.cell.number} is no demonstration and takes {shown.seconds:.1f} s: run it before the "
                     "class.")
    if done.warmth:
        lines.append(f"Two more processes in this kernel: first call {done.warmth['first_call_s']:.2f} s, warm call "
                     f"{1e3 * done.warmth['warm_call_s']:.1f} ms.")
    for cell in done.not_run:
        what = cell.live or cell.source.strip().splitlines()[0]
        lines.append(f"Not run, because a cell before it failed: cell {cell.number}, `{what}`.")
    if done.fine:
        lines.append("Ready. Before the class, run the cells once in the kernel that you will use, so that its "
                     "launcher is warm too.")
    else:
        many = "s" * (len(done.problems) != 1)
        lines.append(f"NOT ready: {len(done.problems)} problem{many} above. The stored notebook shows every output as "
                     "recorded; use it where a cell does not run.")
    return "\n".join(lines)


def as_json(done: Rehearsal) -> dict:
    """The rehearsal as plain values."""
    return {
        "schema": 1,
        "chapter": done.chapter,
        "stage": done.stage,
        "fine": done.fine,
        "cells": [{"cell": shown.cell.number, "live": shown.cell.live, "seconds": round(shown.seconds, 4),
                   "problem": shown.problem} for shown in done.shown],
        "not_run": [cell.number for cell in done.not_run],
        **done.warmth,
    }


def _environment(stage: bool, home: str) -> dict[str, str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PSLAB_HOME": home}
    environment["PSLAB_STYLE"] = "stage" if stage else "quiet"
    environment.pop("MPLBACKEND", None)  # the kernel's own inline backend
    return environment


def _slow(seconds: float, limit_s: float) -> str:
    return f"{seconds:.1f} s, and {limit_s:g} s is the limit: show the recorded output" if seconds > limit_s else ""


def _too_large(cell) -> str:
    """Whether a picture of this cell would have to be scrolled on a stage."""
    for output in cell.outputs:
        png = output.get("data", {}).get("image/png")
        if png:
            # the first chunk of a PNG begins at byte 16 with width and height
            width, height = struct.unpack(">II", base64.b64decode(png)[16:24])
            if width > STAGE_PX[0] or height > STAGE_PX[1]:
                return f"its picture is {width} x {height} and a stage has {STAGE_PX[0]} x {STAGE_PX[1]}"
    return ""


def _warmth(client, notebook) -> dict[str, float]:
    """Seconds of the first and of a warm call of two processes, in the kernel that has just run the chapter."""
    import nbformat

    cell = nbformat.v4.new_code_cell(_WARMTH)
    notebook.cells.append(cell)
    try:
        client.execute_cell(cell, len(notebook.cells) - 1)
    finally:
        notebook.cells.pop()
    return json.loads(cell.outputs[0].text)
