"""Every way a student's code can fail to answer, in the student's terms.

The box raises these; `judge` turns each into a verdict that names the common misconception beside it.
`where` is the line of the student's code, as 'cell 4, line 3 in combine_sparse', or empty.
"""

from __future__ import annotations


class AnswerFailed(Exception):
    """The student's code gave no answer. `seen` says what happened, `expected` what should have."""

    misconception = "all/not-judged"
    expected = "an answer"

    def __init__(self, seen: str, where: str = "", expected: str = "", run=None):
        super().__init__(seen)
        self.seen, self.where, self.expected, self.run = seen, where, expected or type(self).expected, run


class BoxTrouble(OSError):
    """This machine cannot run students' code; nobody's answer is to blame, and no verdict comes of it."""


class NotYet(AnswerFailed):
    """The stub is still there."""

    misconception = "all/not-yet"


class Missing(AnswerFailed):
    """There is no function of that name."""

    misconception = "all/missing"
    expected = "a function of this name"


class Raised(AnswerFailed):
    """An exception of the student's code; `seen` is its type and message."""

    misconception = "all/raised"


class BufferChanged(Raised):
    """A buffer was changed between isend and wait."""

    misconception = "all/isend-buffer"
    expected = "a buffer that stays untouched between isend and wait"


class TimedOut(AnswerFailed):
    misconception = "all/timed-out"
    expected = "an end"


class Stalled(AnswerFailed):
    """Nothing moves; `seen` is the table of who waits for whom."""

    misconception = "all/stalled"
    expected = "every rank reaches its end"


class Died(AnswerFailed):
    """The process ended by a signal or an exit code."""

    misconception = "all/died"


class Forbidden(AnswerFailed):
    """What was tried, such as 'opened pslab/exercises/lab9.py'."""

    misconception = "all/forbidden"
    expected = "an answer from your own code"


class TooMuchOutput(AnswerFailed):
    misconception = "all/too-much-output"


class OutOfMemory(AnswerFailed):
    misconception = "all/out-of-memory"


class BadValue(AnswerFailed):
    """What came back cannot travel, or is not what was asked for."""

    misconception = "all/bad-value"


# Failures that no judge may explain in its own way: they concern the code as such and not this run of it.
ABOUT_THE_CODE = (NotYet, Missing, Forbidden, TooMuchOutput)
