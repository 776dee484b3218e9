"""What the exercises of lab 0B share: errors of `comm` read, and gradients in whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pslab.grade import Verdict
from pslab.grade.failures import Raised


def knowing(judge: Callable, errors: Mapping[str, str]) -> Callable:
    """The judge; where the student's code raised an error whose text holds one of `errors`, with that misconception."""
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except Raised as failed:
            name = next((name for part, name in errors.items() if part in failed.seen), failed.misconception)
            return Verdict(False, failed.expected, failed.seen, failed.where, name, failed.run)
    return judged
