"""The check cell: the student's functions in a box, the public criteria, the feedback.

    check("9.3", combine_sparse, combine_dense)          prints text and picture, never raises
    assert_check("9.3", combine_sparse, combine_dense)   the same, and raises AssertionError unless all that ran passed

nbgrader sets NBGRADER_EXECUTION while it grades; then `check` raises as well, so that one cell serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from . import feedback, progress
from .exercise import Case, Exercise
from .failures import AnswerFailed, BoxTrouble
from .judging import judge
from .report import Report
from .seeds import cases, public_seed


def check(exercise: str | Exercise, *functions: Callable) -> Report | None:
    """Check the functions of an exercise, in the order of its signature, on the public seed; print what was found.

    Returns the Report; None when the call itself was wrong (which is printed too). Never raises, except under nbgrader.
    """
    try:
        found = _exercise(exercise)
        named = _named(found, functions)
    except ValueError as error:
        return _refused(str(error))
    try:
        report = public_report(found, named)
    except BoxTrouble as error:
        return _refused(f"{found.id}: not checked, for this machine cannot run a check: {error}")
    except Exception as error:  # noqa: BLE001  a student's notebook goes on, whatever is wrong with the course
        return _refused(f"{found.id}: the check itself failed, which is no fault of your answer "
                        f"({type(error).__name__}: {error}). Please tell whoever teaches the course.")
    feedback.show(report, *_recorded(report))
    if feedback.asserting():
        _assert(report)
    return report


def assert_check(exercise: str | Exercise, *functions: Callable) -> Report:
    """As `check`, and AssertionError when a check fails, the stub is still there, or the call is wrong (ValueError)."""
    found = _exercise(exercise)
    report = public_report(found, _named(found, functions))
    feedback.show(report)
    _assert(report)
    return report


def public_report(exercise: Exercise, functions: dict[str, Callable], *, strict: bool = False) -> Report:
    """The public criteria on functions of this process: they are copied into a process of their own."""
    from .box import Box, Source

    public, _ = cases(exercise.id)
    try:
        source = Source.of_functions(**functions)
    except AnswerFailed as failed:
        return judge(exercise, _NoAnswer(failed), public)
    with Box(source, forbidden=exercise.forbidden, preload=exercise.preload) as answers:
        return judge(exercise, answers, public, strict=strict)


def exercise_of(exercise_id: str) -> Exercise:
    """The exercise of this id. Exercises stand above grading, so they are looked up by name and not imported."""
    return import_module("pslab.exercises").get(exercise_id)


class _NoAnswer:
    """Stands for functions that cannot even be copied: every question fails in the same way."""

    def __init__(self, failed):
        self._failed = failed

    def call(self, *_, **__):
        raise self._failed

    run = call


def _exercise(exercise: str | Exercise) -> Exercise:
    return exercise if isinstance(exercise, Exercise) else exercise_of(exercise)


def _named(exercise: Exercise, functions: tuple) -> dict[str, Callable]:
    """{name: function}; ValueError tells how the call should look."""
    call = f"check({exercise.id!r}, {', '.join(exercise.names)})"
    if len(functions) != len(exercise.names):
        raise ValueError(f"{exercise.id} checks {len(exercise.names)} function{'s' * (len(exercise.names) > 1)}, "
                         f"{len(functions)} given; write {call}")
    for name, function in zip(exercise.names, functions):
        if not callable(function):
            raise ValueError(f"{name} is a {type(function).__name__}, not a function; write {call}")
    return dict(zip(exercise.names, functions))


def _recorded(report: Report) -> tuple[int]:
    """Write the outcome into the progress file; (hints shown so far,). A file that cannot be written stops no check."""
    try:
        note = progress.record(report.exercise.id, report.state, report.score, report.points)
        if note:
            print(note)
        return (progress.hints_shown(report.exercise.id),)
    except OSError as error:
        print(f"(your progress could not be saved: {error})")
        return (0,)


def _refused(words: str) -> None:
    print(words)
    if feedback.asserting():
        raise AssertionError(words)


def _assert(report: Report) -> None:
    if not report.passed:
        raise AssertionError(feedback.text(report))


def empty_report(exercise: Exercise) -> Report:
    """A report in which nothing ran."""
    return Report(exercise, Case(public_seed(exercise.id)))
