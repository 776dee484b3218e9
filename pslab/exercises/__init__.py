"""The exercises of the labs: one module a lab, `lab9.py` for lab 9, with a tuple EXERCISES.

    get("9.3")     one exercise           lab("9")     all of a lab, in order           labs()     ['9']

A lab's module is imported when it is first asked for. Whole prose of a lab is in its notebook; here is what is checked.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from pslab.grade import CourseError, Exercise

_LABS: dict[str, tuple[Exercise, ...]] = {}


def labs() -> list[str]:
    """Ids of the labs that have exercises, in the order of the course."""
    files = (re.fullmatch(r"lab([0-9]+[ab]?)", path.stem) for path in Path(__file__).parent.glob("lab*.py"))
    found = {name[1].upper() for name in files if name} | set(_LABS)
    return sorted(found, key=lambda lab_id: (int(lab_id.strip("AB")), lab_id))


def lab(lab_id: str) -> list[Exercise]:
    """The exercises of a lab. ValueError for a lab that is not there."""
    lab_id = str(lab_id).upper()
    if lab_id not in _LABS:
        if lab_id not in labs():
            raise ValueError(f"there is no lab {lab_id!r}; labs: {', '.join(labs()) or 'none'}")
        add(*import_module(f"{__name__}.lab{lab_id.lower()}").EXERCISES)
    return list(_LABS[lab_id])


def get(exercise_id: str) -> Exercise:
    """One exercise by its id. ValueError, naming the ids of its lab, for one that is not there."""
    exercise_id = str(exercise_id)
    parts = exercise_id.split(".")
    if len(parts) == 3 and parts[1] in labs():       # the chapter's number, as the book prints it
        for exercise in lab(parts[1]):
            if exercise.chapter_number == exercise_id:
                raise ValueError(f"{exercise_id} is the chapter's number; the exercise's id is {exercise.id!r}")
    found = {exercise.id: exercise for exercise in lab(parts[0])}
    if exercise_id not in found:
        raise ValueError(f"there is no exercise {exercise_id!r}; lab {parts[0]} has {', '.join(found)}")
    return found[exercise_id]


def add(*exercises: Exercise) -> None:
    """Make a lab's exercises known, all of one lab at once. CourseError when they do not fit together."""
    if not exercises:
        raise CourseError("a lab without exercises")
    lab_id, ids = exercises[0].lab, [exercise.id for exercise in exercises]
    if {exercise.lab for exercise in exercises} != {lab_id}:
        raise CourseError(f"exercises of several labs at once: {', '.join(ids)}")
    if len(set(ids)) != len(ids):
        raise CourseError(f"lab {lab_id} has an exercise twice: {', '.join(ids)}")
    names = [name for exercise in exercises for name in exercise.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CourseError(f"lab {lab_id}: the function {twice[0]!r} belongs to two exercises")
    _LABS[lab_id] = exercises
