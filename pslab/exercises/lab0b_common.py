"""What the exercises of lab 0B share: errors of `comm` read, and which of several runs is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pslab.grade import AnswerFailed, Raised, Verdict


def knowing(judge: Callable, errors: Mapping[str, str]) -> Callable:
    """The judge; where the student's code raised an error whose text holds one of `errors`, with that misconception."""
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except Raised as failed:
            name = next((name for part, name in errors.items() if part in failed.seen), failed.misconception)
            return Verdict(False, failed.expected, failed.seen, failed.where, name, failed.run)
    return judged


def undrawn(judge: Callable) -> Callable:
    """The judge; a verdict that passes leaves the picture to another criterion."""
    def judged(answers, case) -> Verdict:
        verdict = judge(answers, case)
        return replace(verdict, run=None) if verdict.passed else verdict
    return judged


def short_run(job, answers, trial):
    """A run of a trial that is there for its picture; None where the answer does not come to its end."""
    try:
        return job.run(answers, trial)
    except AnswerFailed:
        return None
