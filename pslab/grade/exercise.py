"""An exercise, what it is judged by, and what a judge says.

    Exercise ── criteria ──> Criterion ── judge(answers, case) ──> Verdict ── misconception ──> one sentence
       │                                        │       │
       └─ hints, points, minutes                │       └─ seed: shapes, K, remainders, faults follow from it
                                                └─ a handle on the student's functions, which run in another process

Everything is checked when it is built, so that an exercise that could leave a student without a reason, a hint or
their points is an error of the course, found when its file is imported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

KINDS = ("code", "quiz", "prediction", "text")
_EXERCISE_ID = re.compile(r"[0-9]+[AB]?\.[0-9]+")
_LAB_ID = re.compile(r"[0-9]+[AB]?")


class CourseError(Exception):
    """The course, not the student, is wrong: an exercise or a judge breaks a rule of this file."""


@dataclass(frozen=True)
class Misconception:
    """What a student may believe, as an id such as '9/mean-over-touching' and the sentence that corrects it."""

    id: str
    sentence: str

    def __post_init__(self):
        if not re.fullmatch(r"[0-9a-zA-Z]+/[0-9a-z-]+", self.id):
            raise CourseError(f"misconception id {self.id!r}; 'LAB/words-with-dashes' is needed")
        if not self.sentence.strip() or "\n" in self.sentence:
            raise CourseError(f"misconception {self.id}: one sentence on one line is needed, got {self.sentence!r}")


# What may go wrong in any exercise: failures.py raises these.
COMMON = {m.id: m for m in (
    Misconception("all/not-yet", "This one is not written yet."),
    Misconception("all/raised", "Your code stopped with an error before it had an answer."),
    Misconception("all/timed-out", "Your code did not come to an end in the time it had."),
    Misconception("all/stalled", "Every rank waits for another one: some send or receive has no partner."),
    Misconception("all/died", "The process that ran your code ended before your code did."),
    Misconception("all/forbidden", "Your code did something that an answer may not do."),
    Misconception("all/too-much-output", "Your code printed more than a check can take."),
    Misconception("all/out-of-memory", "Your code needed more memory than the exercise allows."),
    Misconception("all/bad-value", "What your function returned is not the kind of value that was asked for."),
    Misconception("all/isend-buffer", "A buffer that was handed to isend belongs to the message until wait() returns."),
    Misconception("all/missing", "The notebook has no function of this name."),
    Misconception("all/not-judged", "The check could not make sense of what came back."),
    Misconception("all/unpicked", "No answer is chosen yet."),
)}


@dataclass(frozen=True)
class Verdict:
    """What a judge says: passed or not; what was expected, what was seen and where; which misconception explains it.

    run: the run to draw, with its ledger and trace. ratio: seen over bound, for the sentence about cost.
    """

    passed: bool
    expected: str = ""
    seen: str = ""
    where: str = ""
    misconception: str | None = None
    run: Any = field(default=None, compare=False, repr=False)
    ratio: float | None = None

    def __post_init__(self):
        if not self.passed and not self.misconception:
            raise CourseError(f"a verdict that fails (seen: {self.seen!r}) names no misconception")

    def naming(self, misconception: str) -> Verdict:
        """The same verdict with another misconception, where a judge knows better than a builder."""
        return self if self.passed else replace(self, misconception=misconception)


@dataclass(frozen=True)
class Case:
    """What varies: everything random in a judge follows from `seed`. `public` cases are the ones students see.

    `rng` is a NumPy generator of this case's own; `of(criterion)` gives each criterion its own stream, so that adding
    one criterion changes no other.
    """

    seed: int
    public: bool = True
    student: str | None = None
    stream: str = ""

    def __post_init__(self):
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**64:
            raise ValueError(f"seed={self.seed!r}; a whole number from 0 to 2**64 - 1 is needed")
        import numpy as np

        text = f"{self.seed}/{self.stream}"
        start = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
        object.__setattr__(self, "rng", np.random.Generator(np.random.PCG64(start)))

    def of(self, stream: str) -> Case:
        """This case with fresh random numbers that depend on the seed and on `stream` only."""
        return replace(self, stream=f"{self.stream}/{stream}")


@dataclass(frozen=True)
class Criterion:
    """One question a judge answers with a Verdict, and what it is worth. Hidden ones run when it is graded only."""

    name: str
    judge: Callable[[Any, Case], Verdict]
    points: int
    hidden: bool = False

    def __post_init__(self):
        if not self.name.strip():
            raise CourseError("a criterion has no name")
        if not callable(self.judge):
            raise CourseError(f"criterion {self.name!r}: judge={self.judge!r} cannot be called")
        if not isinstance(self.points, int) or self.points < 0:
            raise CourseError(f"criterion {self.name!r}: points={self.points!r}; a whole number from 0 is needed")


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lab. `names` are the functions the student writes, in the order check() is given them.

    points 0: checked, but not graded. difficulty: 1 to 5. prerequisites: ids of exercises or labs. hints: from a nudge
    to nearly all. chapter_number: '11.9.3'. forbidden: modules that an answer may not import, such as 'pslab.cost'
    where it asks for a formula.
    preload: large modules that answers run on, such as 'torch._dynamo': loaded once for all boxes, and not in each.
    Errors: CourseError where something below is missing or does not add up.
    """

    id: str
    lab: str
    title: str
    names: tuple[str, ...]
    signature: str
    points: int
    minutes: int
    difficulty: int
    core: bool
    prerequisites: tuple[str, ...]
    goal: str
    example: str
    hints: tuple[str, ...]
    misconceptions: tuple[Misconception, ...]
    criteria: tuple[Criterion, ...]
    chapter_number: str | None = None
    kind: str = "code"
    forbidden: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()

    def __post_init__(self):
        for problem in _problems(self):
            raise CourseError(f"exercise {self.id!r}: {problem}")

    def sentence(self, misconception: str) -> str:
        """The sentence of a misconception id, of this exercise or common to all. CourseError for an unknown id."""
        for known in (*self.misconceptions, *COMMON.values()):
            if known.id == misconception:
                return known.sentence
        raise CourseError(f"exercise {self.id!r} has no misconception {misconception!r}")

    @property
    def hidden(self) -> int:
        """How many criteria run only when it is graded."""
        return sum(c.hidden for c in self.criteria)


def _problems(e: Exercise):
    """What is wrong with an exercise, one sentence each."""
    if not _LAB_ID.fullmatch(e.lab):
        yield f"lab={e.lab!r}; such as '9' or '0A' is needed"
    if not _EXERCISE_ID.fullmatch(e.id) or not e.id.startswith(e.lab + "."):
        yield f"the id is the lab's and a number, such as '{e.lab}.3'"
    if e.kind not in KINDS:
        yield f"kind={e.kind!r}; allowed: {', '.join(KINDS)}"
    for name in ("title", "goal", "example", "signature"):
        if not getattr(e, name).strip():
            yield f"{name} is empty"
    if not e.names or len(set(e.names)) != len(e.names) or not all(n.isidentifier() for n in e.names):
        yield f"names={e.names!r}; one or more different names of functions are needed"
    if not e.hints or not all(h.strip() for h in e.hints):
        yield "a hint is missing; one or more that are not empty are needed"
    if e.minutes < 1:
        yield f"minutes={e.minutes}; 1 or more are needed"
    if e.difficulty not in range(1, 6):
        yield f"difficulty={e.difficulty}; 1 to 5 is needed"
    for other in e.prerequisites:
        if not (_EXERCISE_ID.fullmatch(other) or _LAB_ID.fullmatch(other)) or other == e.id:
            yield f"prerequisite {other!r} is neither another exercise nor a lab"
    if not e.criteria:
        yield "it has no criterion"
    for what, ids in (("criterion", [c.name for c in e.criteria]), ("misconception", [m.id for m in e.misconceptions])):
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            yield f"{what} {twice[0]!r} is there twice"
    if not e.misconceptions:
        yield "it names no misconception"
    for other in e.misconceptions:
        if other.id.partition("/")[0] not in (e.lab, e.lab.rstrip("AB")):
            yield f"misconception {other.id!r} is of another lab"
    worth = sum(c.points for c in e.criteria)
    if worth != e.points:
        yield f"its criteria are worth {worth} points, the exercise {e.points}"
