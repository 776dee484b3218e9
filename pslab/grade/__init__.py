"""Grading: one exercise object, four doors.

    notebook cell      check("9.3", combine_sparse, combine_dense)      prints, never raises       checking.py
    terminal           pslab check 9                                    exit code 0, 1, 2          commands.py
    grader             pslab grade FOLDER                               JSON, CSV, exit code       batch.py
    nbgrader cell      assert_check("9.3", combine_sparse, ...)         raises                     checking.py

    exercise.py, failures.py     what an exercise, a criterion, a verdict is; how an answer fails
    contracts ...                criteria built from the grammar: values, bytes, messages, order, time, memory, faults
    judging.py, report.py        criteria × answers -> a report, and its form in a file
    feedback.py                  what a student reads and sees
    box.py                       the student's functions in a process of their own, with limits
    seeds.py, progress.py, predicting.py

This file imports nothing: a student's process must not load what judges it.
"""

from importlib import import_module

_WHERE = {
    "exercise": ("CourseError", "Misconception", "Verdict", "Criterion", "Exercise", "Case", "COMMON"),
    "failures": ("AnswerFailed", "NotYet", "Missing", "Raised", "BufferChanged", "TimedOut", "Stalled", "Died",
                 "Forbidden", "TooMuchOutput", "OutOfMemory", "BadValue", "BoxTrouble"),
    "report": ("Report", "result", "read_result"),
    "judging": ("judge",),
    "seeds": ("public_seed", "hidden_seed", "cases", "seed_id"),
    "feedback": ("text", "picture"),
    "checking": ("check", "assert_check"),
    "predicting": ("predict", "reveal", "committed"),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str):
    """Import a name's module on first use. No module here is named like a function, so neither hides the other."""
    if name in _HOME:
        found = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
