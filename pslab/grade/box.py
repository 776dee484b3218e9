"""The box: a student's functions in a process of their own, asked from here.

    grader's process                                          the student's process, one for each exercise
    Box ── answers.call(name, *args) ── wire format ──>  name(*args)                ── value ──>  here
        └─ answers.run(name, K, ...) ────────────────>  K ranks of name(comm, ...) ── values, bytes, trace ──>  here

The grader never runs a student's code itself, and believes nothing but numbers, text and tensors that come back. What
goes wrong there (endless loops, crashes, fork bombs, a look at the reference) arrives here as an `AnswerFailed` of
failures.py; the next question finds a fresh process. See sandbox.py for how it is held, keeper.py for what ends it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cloudpickle

from pslab.comm import Faults, Ledger, Link, Trace, encode

from .box_run import BoxRun, read_run
from .failures import (
    AnswerFailed,
    BadValue,
    BufferChanged,
    Died,
    Forbidden,
    Missing,
    NotYet,
    OutOfMemory,
    Raised,
    Stalled,
    TimedOut,
    TooMuchOutput,
)
from .sandbox import Process, running

__all__ = ["AnswerFailed", "Answers", "BadValue", "Box", "BoxRun", "BufferChanged", "Cell", "Died", "Forbidden",
           "Ledger", "Limits", "Missing", "NotYet", "OutOfMemory", "Raised", "Source", "Stalled", "TimedOut",
           "TooMuchOutput", "Trace"]

FACES, WORLDS = ("tensors", "mail"), ("sim", "process")
MOST_PROCESS_RANKS = 16
AFTER_LATE_S = 2.0                           # the deadline of a function that has missed one: so a hang costs 10 s once
_KEPT = ("pslab", "torch", "numpy")          # modules whose functions travel by name


@dataclass(frozen=True)
class Limits:
    """What one exercise's code may use, all its questions together.

    wall_s, cpu_s      seconds of the clock, and of the processor
    memory_bytes       resident memory beyond what an idle process of the box has
    processes          how many processes it may start itself (0: none); ranks of world="process" are not counted
    output_bytes       what it may print
    file_bytes         the largest file that it may write, in its own folder; all together twice that, in 1,000 files
    reply_bytes        the largest answer
    """

    wall_s: float = 60.0
    cpu_s: float = 60.0
    memory_bytes: int = 2 << 30
    processes: int = 0
    output_bytes: int = 1 << 20
    file_bytes: int = 64 << 20
    reply_bytes: int = 256 << 20

    def __post_init__(self):
        for name in ("wall_s", "cpu_s", "memory_bytes", "output_bytes", "file_bytes", "reply_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}; more than 0 is needed")
        if self.processes < 0:
            raise ValueError(f"processes={self.processes}; 0 or more is needed")


@dataclass(frozen=True)
class Cell:
    """A code cell: `label` as a student finds it ('cell 4'), its text, and whether the exercise fails without it."""

    label: str
    text: str
    needed: bool = True


@dataclass(frozen=True)
class Source:
    """Where the student's functions come from: cells to execute in order, or functions of a running kernel."""

    cells: tuple[Cell, ...] = ()
    pickled: bytes | None = None

    @classmethod
    def of_cells(cls, cells: Sequence[Cell]) -> Source:
        return cls(cells=tuple(cells))

    @classmethod
    def of_text(cls, text: str, label: str = "answer") -> Source:
        """One cell, for an answer that is a text or a file."""
        return cls(cells=(Cell(label, text),))

    @classmethod
    def of_functions(cls, *functions, **named) -> Source:
        """Functions as they are in this process, with what they refer to; by position under their own names."""
        table = {getattr(f, "__name__", str(f)): f for f in functions} | named
        for name, function in table.items():
            if not callable(function):
                raise ValueError(f"{name} is a {type(function).__name__}; a function is needed")
        return cls(pickled=_by_value(table))


@dataclass
class Box:
    """A context manager: `with Box(source) as answers: answers.call("f", 3)`.

    limits     of all questions together
    forbidden  modules that this exercise's answer may not import, such as "pslab.cost"
    hidden     folders and files that the answer may not read, beside the course's own solutions and judges
    preload    modules that are loaded before the first such box, for all that follow
    """

    source: Source
    limits: Limits = field(default_factory=Limits)
    forbidden: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()

    def __enter__(self) -> Answers:
        self._answers = Answers(self)
        return self._answers

    def __exit__(self, *_) -> None:
        self._answers.close()


class Answers:
    """A handle on the student's functions: what a judge asks. Every question has a deadline of its own."""

    def __init__(self, box: Box):
        self._box, self._process, self._closed = box, None, False
        self._until_s = time.monotonic() + box.limits.wall_s
        self._unusable: AnswerFailed | None = None
        self._hash_seed: int | None = None
        self._late: set[str] = set()                     # functions that have missed a deadline
        self.failed_cells: list[tuple[str, str]] = []    # (label, what happened) of cells that are not needed

    def call(self, name: str, *args, timeout_s: float = 10.0, **kwargs):
        """What the student's `name(*args, **kwargs)` returns; arguments and value in the wire format."""
        asked = {"op": "call", "name": name, "args": encode(args), "kwargs": encode(kwargs)}
        return self._ask(asked, timeout_s)["value"]

    def run(self, name: str, world_size: int, *args, per_rank: Sequence[tuple] | None = None, world: str = "sim",
            link: Link | None = None, links: dict | None = None, seed: int = 0, faults: Faults | None = None,
            trace: bool = True, face: str = "tensors", within: Callable | None = None,
            timeout_s: float = 10.0) -> BoxRun:
        """K ranks of `name(comm, *args)`, or `name(comm, *per_rank[rank])`; `comm` offers the exercise's face only.

        face "tensors": rank, world_size, send, recv, isend, irecv, compute, now; "mail": post and poll as well.
        world "sim" takes link, links and faults; world "process" runs K real processes, and link throttles them.
        within: a program of the course's around it, of which K ranks run: within(function, comm, *args). It is copied,
        with its whole module, into the student's process, so that module must not hold what judges by.
        """
        _check_run(world_size, args, per_rank, world, links, faults, face)
        asked = {"op": "run", "name": name, "world_size": world_size, "world": world, "face": face, "seed": seed,
                 "trace": trace, "link": link, "links": links, "faults": faults,
                 "arguments": encode([tuple(mine) for mine in per_rank] if per_rank is not None else list(args)),
                 "per_rank": per_rank is not None, "within": None if within is None else _with_module(within)}
        reply = self._ask(asked, timeout_s, ranks=world_size + 1 if world == "process" else 0)
        return read_run(reply, world_size)

    @property
    def prints(self) -> str:
        """What the present process has printed so far, up to the limit."""
        return "" if self._process is None else self._process.prints()

    def restart(self, hash_seed: int | None = None) -> None:
        """Let the next question find a fresh process, with nothing in it but the student's code.

        hash_seed: the PYTHONHASHSEED that its Python started with, from now on (None: one that Python drew).
        """
        self._hash_seed = hash_seed
        self._drop()

    def close(self) -> None:
        """End the process and everything that it started; nothing is left behind when this returns."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _ask(self, asked: dict, timeout_s: float, ranks: int = 0) -> dict:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s={timeout_s}; more than 0 seconds are needed")
        if self._closed:
            raise ValueError("this box is closed; ask inside its `with`")
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            self._drop()
            raise TimedOut(f"the exercise took more than its {self._box.limits.wall_s:g} s in all")
        if asked["name"] in self._late:
            timeout_s = min(timeout_s, AFTER_LATE_S)
        timeout_s = min(timeout_s, left_s)
        try:
            process = self._ready(min(20.0, left_s))
            return process.ask({**asked, "timeout_s": timeout_s}, timeout_s, ranks)
        except AnswerFailed as failed:
            if isinstance(failed, TimedOut):
                self._late.add(asked["name"])
            if not failed.__dict__.pop("lives", False):
                self._drop()
            raise
        except BaseException:                             # an interrupt: the process may be in the middle of a word
            self._drop()
            raise

    def _ready(self, timeout_s: float) -> Process:
        """The process, started and with the student's code in it."""
        if self._unusable is not None:
            raise self._unusable.with_traceback(None)
        if self._process is None:
            box = self._box
            self._process = running(self._hash_seed).open(box.limits, box.hidden, box.forbidden, box.preload)
            cells = [[cell.label, cell.text, cell.needed] for cell in box.source.cells]
            load = {"op": "load", "cells": cells, "pickled": box.source.pickled}
            try:
                self.failed_cells = [tuple(cell) for cell in self._process.ask(load, timeout_s)["failed"]]
            except AnswerFailed as failed:
                self._unusable = failed
                raise
        return self._process

    def _drop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


def _check_run(world_size, args, per_rank, world, links, faults, face) -> None:
    if world not in WORLDS:
        raise ValueError(f"world={world!r}; allowed: {', '.join(WORLDS)}")
    if face not in FACES:
        raise ValueError(f"face={face!r}; allowed: {', '.join(FACES)}")
    if not isinstance(world_size, int) or world_size < 1 or (world == "process" and world_size > MOST_PROCESS_RANKS):
        raise ValueError(f"world_size={world_size!r}; 1 or more ranks, as processes at most {MOST_PROCESS_RANKS}")
    if world == "process" and (links or faults):
        raise ValueError("links and faults are the simulator's; world='process' has neither")
    if per_rank is not None and (args or len(per_rank) != world_size):
        raise ValueError(f"per_rank holds {len(per_rank)} entries; one tuple for each of the {world_size} ranks, and "
                         "no other arguments, are needed")


def _by_value(table: dict) -> bytes:
    """Functions with their modules' code where a child could not import them: their own module and its neighbours."""
    modules = {sys.modules.get(getattr(f, "__module__", None) or "") for f in table.values()}
    local = [m for m in modules if m is not None and m.__name__ != "__main__" and m.__name__.split(".")[0] not in _KEPT]
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [m for m in local if m.__name__ not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(table)
    except Exception as error:
        raise BadValue(f"your function cannot be copied into a process of its own: {type(error).__name__}: {error}",
                       expected="a function that stands on its own") from error
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _with_module(function: Callable) -> bytes:
    """A function of the course's, with the code of its module, which the student's process may not read."""
    module = sys.modules[function.__module__]
    if module.__name__ == "__main__":
        return cloudpickle.dumps(function)
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(module)
