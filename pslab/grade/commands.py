"""`pslab check`, `pslab hint` and `pslab reset`: the terminal's door.

    pslab check 9                                 every exercise of lab 9 in labs/lab_09_verdict.ipynb
    pslab check labs/lab_09_verdict.ipynb --exercise 9.3
    pslab hint 9.3                                the next hint
    pslab reset 9                                 the notebook as it came; yours is kept aside
"""

from __future__ import annotations

import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from . import feedback, progress
from .exercise import Exercise
from .judging import judge
from .originals import original_of
from .report import Report
from .seeds import cases

if TYPE_CHECKING:
    from .notebook import Notebook

PASSED, NOT_PASSED = 0, 1


def add_check(parser) -> None:
    parser.add_argument("what", metavar="LAB|NOTEBOOK", help="a lab such as 9, or a notebook's file")
    parser.add_argument("--exercise", metavar="ID", help="only this exercise, such as 9.3")


def add_hint(parser) -> None:
    parser.add_argument("exercise", metavar="EXERCISE", help="such as 9.3")


def add_reset(parser) -> None:
    parser.add_argument("lab", metavar="LAB", help="such as 9")


def run_check(args) -> int:
    """Check a notebook's answers; 0 when every public check passes, else 1. ValueError for what cannot be checked."""
    from .notebook import read_notebook  # here: `--help` needs no torch

    exercises = import_module("pslab.exercises")
    if args.exercise:
        exercises.get(args.exercise)
    path = Path(args.what) if args.what.endswith(".ipynb") else find_notebook(args.what)
    notebook = read_notebook(path)
    if notebook.lab is None:
        raise ValueError(f"{path} holds no answer cells of a lab; was it made from a lab's notebook?")
    wanted = exercises.lab(notebook.lab)
    if args.exercise:
        wanted = [exercise for exercise in wanted if exercise.id == args.exercise]
        if not wanted:
            raise ValueError(f"--exercise {args.exercise}: {path} is of lab {notebook.lab}")
    print(f"lab {notebook.lab}: {path}\n", flush=True)
    reports = list(_checked(notebook, wanted))
    for report in reports:
        note = _record(report)
        if note:
            print(note)
    for report in reports:
        if report.state in ("fails", "missing"):
            print()
            feedback.show(report, _hints(report.exercise.id))
    print()
    print(summary(reports))
    return PASSED if all(report.passed for report in reports) else NOT_PASSED


def run_hint(args) -> int:
    """Show the next hint of an exercise and note that it was shown."""
    exercise: Exercise = import_module("pslab.exercises").get(args.exercise)
    total = len(exercise.hints)
    with progress.changing() as (data, notes):
        entry = data["exercises"].setdefault(exercise.id, {"state": "not yet", "tries": 0, "hints": 0})
        before = entry["hints"] if isinstance(entry.get("hints"), int) else 0
        entry["hints"] = min(before + 1, total)
    for note in notes:
        print(note)
    print(f"{exercise.id} {exercise.title}")
    if before >= total:
        print(f"You have seen all {total} hints." if total > 1 else "You have seen the hint; there is one.")
        for number, words in enumerate(exercise.hints, 1):
            print(feedback.wrapped(f"hint {number} of {total}: ", words))
    else:
        print(feedback.wrapped(f"hint {before + 1} of {total}: ", exercise.hints[before]))
    return 0


def run_reset(args) -> int:
    """Put back a lab's notebook as it came; the student's own is kept beside it under a number."""
    path = find_notebook(args.lab)
    fresh, origin = original_of(path)
    if path.read_bytes() == fresh:
        print(f"{path} is as it came ({origin}); nothing to reset.")
        return 0
    number = 1
    while (kept := path.with_name(f"{path.stem}.kept-{number}.ipynb")).exists():
        number += 1
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(fresh)
    shutil.copy2(path, kept)
    temporary.replace(path)                  # at every moment there is a whole notebook under each name
    print(f"{path} is as it came ({origin}). What you had is {kept.name}.")
    return 0


def find_notebook(lab: str) -> Path:
    """A lab's notebook: here, in labs/ here, or in the labs/ of the checkout. ValueError with where it was sought."""
    exercises = import_module("pslab.exercises")
    lab = str(lab).upper()
    if lab not in exercises.labs():
        raise ValueError(f"there is no lab {lab!r}; labs: {', '.join(exercises.labs())}; "
                         "or give a notebook's file (NAME.ipynb)")
    digits, letters = re.fullmatch(r"([0-9]+)([AB]?)", lab).groups()
    name = re.compile(rf"lab_{int(digits):02d}{letters.lower()}_[a-z0-9_]+\.ipynb")
    places = list(dict.fromkeys([Path.cwd(), Path.cwd() / "labs", Path(__file__).resolve().parents[2] / "labs"]))
    for place in places:
        found = sorted(path for path in place.glob("lab_*.ipynb") if name.fullmatch(path.name))
        if found:
            return found[0]
    raise ValueError(f"no notebook of lab {lab} (lab_{int(digits):02d}{letters.lower()}_*.ipynb) in "
                     f"{', '.join(map(str, places))}")


def check_cells(notebook: Notebook, exercise: Exercise) -> Report:
    """The public criteria on a notebook's cells."""
    from .box import Box
    from .notebook_source import source_for

    source, note = source_for(notebook, exercise)
    if note:
        print(note)
    with Box(source or notebook.source(exercise.id), forbidden=exercise.forbidden,
             preload=exercise.preload) as answers:
        return judge(exercise, answers, cases(exercise.id)[0])


def _checked(notebook: Notebook, wanted: list[Exercise]):
    """Check one exercise after the other, and print its line of the table as soon as it is known."""
    titles = [e.title + ("" if e.core else " (optional)") for e in wanted]
    width = max(map(len, titles))
    print(f"exercise  {'':<{width}}  state    checks", flush=True)
    for exercise, title in zip(wanted, titles):
        report = check_cells(notebook, exercise)
        passing = sum(verdict.passed for _, verdict in report.verdicts)
        checks = f"{passing} of {len(report.verdicts)}" if report.state in ("passes", "fails") else ""
        print(f"{exercise.id:<8}  {title:<{width}}  {report.state:<7}  {checks}".rstrip(), flush=True)
        yield report


def summary(reports: list[Report]) -> str:
    """What may be said at the end; it claims nothing about hidden checks."""
    left = sum(report.hidden_left for report in reports)
    done = sum(report.passed for report in reports)
    which = "public checks" if left else "checks"
    words = f"{done} of {len(reports)} exercises pass their {which}."
    if done == len(reports):
        words = f"The {which} pass."
    return words + (f" {left} hidden {'one runs' if left == 1 else 'ones run'} when it is graded." if left else "")


def _record(report: Report) -> str:
    try:
        return progress.record(report.exercise.id, report.state, report.score, report.points)
    except OSError as error:
        return f"(your progress could not be saved: {error})"


def _hints(exercise_id: str) -> int:
    try:
        return progress.hints_shown(exercise_id)
    except OSError:
        return 0
