"""What a run tells while it goes on: a line that moves, a file of JSON lines, TensorBoard.

    run_job(world, job, batches, report_every=10, logs=[Progress(len(batches)), JsonLines("run.jsonl")])
                    worker 0 reports ──> the caller's process ──> log(step, {"loss": ...}) of each

    run.jsonl       {"step": 10, "loss": 0.693}          one line a report, on the disk as soon as it is written
                    {"step": 20, "loss": 0.641}
                    {"step": 20, "loss": 0.64...         killed here: resuming from step 10 drops what is after it

A log is any object with log(step, values), resumed(step) and close().
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from pslab.files import check_writable, write_aside

TENSORBOARD = "pip install tensorboard"


class Log:
    """Does nothing; a base for logs of one's own."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Values after `step` steps, counted from 1."""

    def resumed(self, step: int) -> None:
        """The run goes on from a checkpoint after `step` steps: what was logged of later ones is told again."""

    def close(self) -> None:
        """No more will come."""


class Progress(Log):
    """A progress bar where `out` is a terminal and tqdm is installed; else a line every so often.

    total: steps. lines: about how many plain lines are printed in all.
    """

    def __init__(self, total: int, label: str = "train", out: TextIO | None = None, lines: int = 10):
        for name, value in (("total", total), ("lines", lines)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}; a whole number from 1 is needed")
        self.total, self.label, self.out, self.every = total, label, sys.stderr if out is None else out, total / lines
        self._printed, self._bar = 0, None
        if self.out.isatty() and find_spec("tqdm") is not None:
            from tqdm import tqdm
            self._bar = tqdm(total=total, desc=label, unit="step", file=self.out)

    def log(self, step, values):
        told = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        if self._bar is not None:
            self._bar.set_postfix_str(told, refresh=False)
            self._bar.update(step - self._bar.n)
        elif step == self.total or step - self._printed >= self.every:
            self._printed = step
            print(f"{self.label}: step {step} of {self.total}{', ' if told else ''}{told}", file=self.out, flush=True)

    def resumed(self, step):
        self._printed = step
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
        else:
            print(f"{self.label}: goes on after step {step} of {self.total}", file=self.out, flush=True)

    def close(self):
        if self._bar is not None:
            self._bar.close()


class JsonLines(Log):
    """One JSON object a line: "step" and the values; NaN and infinities as null, as JSON has no word for them.

    A new run writes the file anew; one that goes on from a checkpoint keeps the lines up to its step, so that no step
    is told twice. What the caller's process had not yet written when it was killed, of steps before the checkpoint, is
    missing; otherwise the file is that of a run which was never interrupted.
    """

    def __init__(self, file: str | Path):
        check_writable("file", file)
        self.file = Path(file)
        self._out: TextIO | None = None

    def log(self, step, values):
        if self._out is None:
            self._out = open(self.file, "w", encoding="utf-8")     # noqa: SIM115 - stays open while the run goes on
        if "step" in values:
            raise ValueError("values holds 'step', which is the step's own name in the line")
        told = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._out.write(json.dumps({"step": step, **told}) + "\n")
        self._out.flush()
        os.fsync(self._out.fileno())

    def resumed(self, step):
        kept = [line for line in read_lines(self.file) if line["step"] <= step] if self.file.exists() else []
        write_aside(self.file, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._out = open(self.file, "a", encoding="utf-8")         # noqa: SIM115 - as in log

    def close(self):
        if self._out is not None:
            self._out.close()
            self._out = None


class TensorBoard(Log):
    """Scalars for TensorBoard, under `folder`; needs the package tensorboard."""

    def __init__(self, folder: str | Path):
        if find_spec("tensorboard") is None:
            raise ValueError(f"TensorBoard needs the package tensorboard, which is not installed: {TENSORBOARD}. "
                             f"JsonLines(file) needs nothing")
        from torch.utils.tensorboard import SummaryWriter
        self._make = lambda **more: SummaryWriter(str(folder), **more)
        self._writer = None

    def log(self, step, values):
        if self._writer is None:
            self._writer = self._make()
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def resumed(self, step):
        self._writer = self._make(purge_step=step + 1)

    def close(self):
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def read_lines(file: str | Path) -> list[dict]:
    """What a JsonLines wrote; a last line that was cut off is left out. ValueError for another that is no JSON."""
    lines, found = Path(file).read_text(encoding="utf-8").splitlines(keepends=True), []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except ValueError:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise ValueError(f"{file}, line {number}: this is no JSON: {line[:60]!r}") from None
    return found
