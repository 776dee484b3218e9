"""What a run of the criteria gave: points, verdicts, seconds and bytes, and its form in a file.

    {schema, pslab, python, torch, numpy, student, seed,
     exercises: [{id, score, points, seconds, bytes, hidden, verdicts: [{criterion, hidden, points, passed,
                                                          expected, seen, where, misconception, sentence}]}]}
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import pslab

from .exercise import Case, Criterion, Exercise, Verdict

SCHEMA = 1
_TOP = {"schema": int, "pslab": str, "python": str, "torch": str, "numpy": str, "student": (str, type(None)),
        "seed": str, "exercises": list}
_EXERCISE = {"id": str, "score": int, "points": int, "seconds": (int, float), "bytes": (int, type(None)),
             "hidden": int, "verdicts": list}
_VERDICT = {"criterion": str, "hidden": bool, "points": int, "passed": bool, "expected": str, "seen": str,
            "where": str, "misconception": (str, type(None)), "sentence": str}


@dataclass
class Report:
    """Verdicts of one exercise, in the order of its criteria; hidden ones are missing where they did not run."""

    exercise: Exercise
    case: Case
    verdicts: list[tuple[Criterion, Verdict]] = field(default_factory=list)
    seconds: float = 0.0

    def __repr__(self) -> str:
        return f"Report({self.exercise.id}: {sum(v.passed for _, v in self.verdicts)} of {len(self.verdicts)} pass)"

    def _ipython_display_(self) -> None:
        """Nothing: a check cell ends with `check(...)`, which has printed the report already."""

    @property
    def passed(self) -> bool:
        """Every criterion that ran passed, and at least one ran."""
        return bool(self.verdicts) and all(v.passed for _, v in self.verdicts)

    @property
    def not_yet(self) -> bool:
        """Nothing is written yet: every check came upon a stub. (One of two functions may be.)"""
        return bool(self.verdicts) and all(v.misconception == "all/not-yet" for _, v in self.verdicts)

    @property
    def missing(self) -> bool:
        """There is none of the exercise's functions."""
        return bool(self.verdicts) and all(v.misconception == "all/missing" for _, v in self.verdicts)

    @property
    def state(self) -> str:
        """'not yet', 'missing', 'passes' or 'fails', in this order of importance."""
        if self.not_yet or self.missing:
            return "not yet" if self.not_yet else "missing"
        return "passes" if self.passed else "fails"

    @property
    def points(self) -> int:
        """What the criteria that ran are worth."""
        return sum(c.points for c, _ in self.verdicts)

    @property
    def score(self) -> int:
        return sum(c.points for c, v in self.verdicts if v.passed)

    @property
    def hidden_left(self) -> int:
        """How many hidden criteria did not run."""
        return self.exercise.hidden - sum(c.hidden for c, _ in self.verdicts)

    @property
    def first_failure(self) -> tuple[Criterion, Verdict] | None:
        return next(((c, v) for c, v in self.verdicts if not v.passed), None)

    @property
    def run(self):
        """The run to draw: of the first failure that has one, else the easiest to read; None without any."""
        for _, verdict in self.verdicts:
            if not verdict.passed and verdict.run is not None:
                return verdict.run
        return max((v.run for _, v in self.verdicts if v.run is not None), key=_legible, default=None)

    @property
    def run_bytes(self) -> int | None:
        """Bytes on all links of that run; None without one."""
        ledger = getattr(self.run, "ledger", None)
        return None if ledger is None else int(ledger.total())

    def as_dict(self) -> dict:
        """This exercise's entry of a result file."""
        return {"id": self.exercise.id, "score": self.score, "points": self.points, "seconds": round(self.seconds, 3),
                "bytes": self.run_bytes, "hidden": self.hidden_left,
                "verdicts": [self._verdict(c, v) for c, v in self.verdicts]}

    def _verdict(self, c: Criterion, v: Verdict) -> dict:
        return {"criterion": c.name, "hidden": c.hidden, "points": c.points, "passed": v.passed,
                "expected": v.expected, "seen": v.seen, "where": v.where, "misconception": v.misconception,
                "sentence": "" if v.misconception is None else self.exercise.sentence(v.misconception)}


def result(reports: Sequence[Report], *, student: str | None = None, seed: str = "public") -> dict:
    """The result of one submission, ready for JSON. `seed`: the seed's id, never the secret (seeds.seed_id)."""
    return {"schema": SCHEMA, "pslab": pslab.__version__, "python": platform.python_version(),
            "torch": _version("torch"), "numpy": _version("numpy"), "student": student, "seed": seed,
            "exercises": [report.as_dict() for report in reports]}


def read_result(data: dict) -> dict:
    """`data` when it has the form above. ValueError names what is missing or of another kind."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"schema={found!r}; this version of pslab reads schema {SCHEMA}")
    _held(data, _TOP, "the result")
    for i, exercise in enumerate(data["exercises"]):
        _held(exercise, _EXERCISE, f"exercises[{i}]")
        for j, verdict in enumerate(exercise["verdicts"]):
            _held(verdict, _VERDICT, f"exercises[{i}].verdicts[{j}]")
    return data


def _legible(run) -> tuple:
    """Three to five ranks, something sent, few bytes."""
    total = run.ledger.total()
    return 3 <= run.ledger.world_size <= 5, total > 0, -total


def _held(data, form: dict, where: str) -> None:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is {type(data).__name__}; an object is needed")
    for name, kind in form.items():
        if name not in data:
            raise ValueError(f"{where} has no {name!r}")
        if not isinstance(data[name], kind) or (isinstance(data[name], bool) and kind is not bool):
            raise ValueError(f"{where}: {name}={data[name]!r} is of the wrong kind")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
