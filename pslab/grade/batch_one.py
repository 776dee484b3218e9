"""Grading one submission: every exercise in a box of its own, within one limit of time for all.

    submission ── read ──> for each exercise: its cells in a box ── criteria ──> result (JSON) and feedback page (HTML)

This is what a worker process of the batch runs; it returns plain data.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from . import feedback, feedback_page
from .box import Box, Limits
from .exercise import Exercise
from .failures import AnswerFailed, Missing, TimedOut
from .judging import judge
from .notebook_source import Submission, read, source_for
from .report import Report, result
from .seeds import cases, seed_id

SHORTEST_S = 0.5                     # with less time than this left, an exercise is not begun


@dataclass(frozen=True)
class Order:
    """What is asked of a worker. `secret` never leaves it."""

    path: Path
    by_name: str
    student_from: str = "filename"
    lab: str | None = None
    exercise: str | None = None
    secret: str | None = None
    limit_s: float = 120.0
    hidden: tuple[str, ...] = ()
    pages: bool = True
    sha256: str = ""                 # as it was when the batch began
    student: str = ""
    problem: str = ""                # why it is not to be graded at all


def grade_one(order: Order) -> tuple[dict, str]:
    """(the result, the feedback page or ''). Never raises for what a student handed in."""
    submission = read(order.path, order.by_name, order.student_from)
    notes: list[str] = []
    reports: list[Report] = []
    problem = submission.problem or order.problem
    if not problem:
        wanted, problem = wanted_exercises(submission, order)
        until_s = time.monotonic() + order.limit_s
        reports = [_graded(submission, exercise, order, until_s, notes) for exercise in wanted]
    data = result(reports, student=submission.student, seed=seed_id(order.secret))
    data["submission"] = {"file": order.path.name, "sha256": submission.sha256, "problem": problem, "notes": notes}
    page = feedback_page.page(data, _told(reports)) if order.pages else ""
    return data, page


def wanted_exercises(submission: Submission, order: Order) -> tuple[list[Exercise], str]:
    """(the exercises to grade, why there are none)."""
    exercises = import_module("pslab.exercises")
    if order.exercise:
        return [exercises.get(order.exercise)], ""
    lab = order.lab or submission.notebook.lab or _lab_by_names(submission, exercises)
    if lab is None or lab not in exercises.labs():
        return [], "the notebook holds no answer of any lab"
    return exercises.lab(lab), ""


def _lab_by_names(submission: Submission, exercises) -> str | None:
    """The lab whose functions the notebook defines most of, where every cell has lost its mark."""
    counts = {lab: sum(source_for(submission.notebook, e)[0] is not None for e in exercises.lab(lab))
              for lab in exercises.labs()}
    best = max(counts, key=counts.get, default=None)
    return best if best is not None and counts[best] else None


def _graded(submission: Submission, exercise: Exercise, order: Order, until_s: float, notes: list[str]) -> Report:
    public, hidden = cases(exercise.id, submission.student if order.secret else None, order.secret)
    source, note = source_for(submission.notebook, exercise)
    if note:
        notes.append(note)
    if source is None:
        missing = Missing(f"the notebook has no cell that answers {exercise.id}")
        return judge(exercise, NoAnswer(missing), public, hidden)
    left_s = until_s - time.monotonic()
    if left_s < SHORTEST_S:
        return judge(exercise, NoAnswer(TimedOut(f"the time for the whole notebook, {order.limit_s:g} s, was used up "
                                                 "by the exercises before")), public, hidden)
    limits = Limits(wall_s=min(left_s, Limits.wall_s))
    with Box(source, limits, forbidden=tuple(exercise.forbidden), hidden=order.hidden,
             preload=exercise.preload) as answers:
        return judge(exercise, answers, public, hidden)


class NoAnswer:
    """Stands for functions that cannot be asked: every question fails in the same way."""

    def __init__(self, failed: AnswerFailed):
        self._failed = failed

    def call(self, *_, **__):
        raise self._failed

    run = call


def _told(reports: list[Report]) -> dict[str, tuple[str, object]]:
    """{exercise id: (text, picture or None)} for the page."""
    return {report.exercise.id: (feedback.text(report), None if report.not_yet else feedback.picture(report))
            for report in reports}
