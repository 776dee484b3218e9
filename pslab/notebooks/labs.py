"""A lab's two notebooks from one text: the solution as written, and the student's version with the answers taken out.

    solutions/src/NAME.py ──> solutions/NAME.ipynb      everything, executed
                          └─> labs/NAME.ipynb           regions replaced by stubs, executed: checks say "not yet"

    # %% answer="9.3"                                   # %% check="9.3"
    def combine(rows):                                  check("9.3", combine)
        '''The sum of the rows.'''
        ### BEGIN SOLUTION        ──> raise NotImplementedError("9.3")
        return rows.sum(0)
        ### END SOLUTION

A cell with `needs="9.3"` runs only once the exercise is solved; a cell tagged `solution-only` is not in the lab.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections import Counter

import nbformat

BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
MARKS = {"### " + BEGIN: BEGIN, "### " + END: END, f"<!-- {BEGIN} -->": BEGIN, f"<!-- {END} -->": END}
SOLUTION_ONLY = "solution-only"
# Of a cell that needs an answer: the builder does not run it, nbval and JupyterLab go on when it stops on the stub.
NEEDS_ANSWER = "needs-answer"
STUDENT_TAGS = (NEEDS_ANSWER, "nbval-ignore-output", "raises-exception")
ROOM = "# room for your own helpers"
ABOVE = "# put your own above"
WRITE = "*Your answer: replace this line.*"


def metadata_of(cell, seen: Counter) -> dict:
    """The `pslab` and `nbgrader` metadata that the attributes answer, check, needs and points of a cell ask for.

    seen: counts the cells of each exercise, for ids that differ; shared by the cells of one notebook.
    Errors: ValueError where attributes contradict each other, or the points of an exercise are unknown.
    """
    roles = {key: str(cell.metadata[key]) for key in ("answer", "check", "needs") if key in cell.metadata}
    if not roles:
        return {}
    if len(roles) > 1:
        raise ValueError(f"a cell has the attributes {', '.join(roles)}; one of them is allowed")
    (role, exercise), = roles.items()
    metadata = {"pslab": {role: exercise}}
    if role == "needs":
        return metadata
    seen[role, exercise] += 1
    name = f"{role}-{exercise.replace('.', '-')}" + (f"-{seen[role, exercise]}" if seen[role, exercise] > 1 else "")
    read_by_people = role == "answer" and cell.cell_type == "markdown"
    graded = role == "check" or read_by_people
    metadata["nbgrader"] = {"schema_version": 3, "grade_id": name, "grade": graded, "solution": role == "answer",
                            "locked": role == "check", "task": False}
    if graded:
        metadata["nbgrader"]["points"] = _points(cell, exercise, read_by_people)
    return metadata


def student_version(solution: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The lab that belongs to a solution (without outputs): the same cells, their regions replaced by stubs."""
    cells = []
    for number, cell in enumerate(solution.cells, start=1):
        if SOLUTION_ONLY in cell.metadata.get("tags", ()):
            continue
        fresh = copy.deepcopy(cell)
        try:
            fresh.source = without_regions(cell.source, cell.cell_type, cell.metadata.get("pslab", {}).get("answer"))
        except ValueError as error:
            raise ValueError(f"cell {number}: {error}") from None
        if "needs" in cell.metadata.get("pslab", {}):
            fresh.metadata["tags"] = [*dict.fromkeys([*cell.metadata.get("tags", ()), *STUDENT_TAGS])]
        cells.append(fresh)
    return nbformat.from_dict({**copy.deepcopy(solution), "cells": cells})


def regions(source: str) -> list[tuple[int, int]]:
    """(line of BEGIN, line of END) of every solution region, counted from 0."""
    found, begin = [], None
    for i, line in enumerate(source.splitlines()):
        mark = MARKS.get(line.strip())
        if mark is None and (BEGIN in line or END in line):
            raise ValueError(f"{line.strip()!r} is no mark; a mark is a line of its own: {' or '.join(MARKS)}")
        if (mark == BEGIN) != (begin is None) and mark:
            raise ValueError(f"line {i + 1}: {mark} " + ("without an END before it" if begin is not None
                                                         else "without a BEGIN"))
        if mark == BEGIN:
            begin = i
        elif mark == END:
            found.append((begin, i))
            begin = None
    if begin is not None:
        raise ValueError(f"line {begin + 1}: {BEGIN} without an END")
    return found


def without_regions(source: str, cell_type: str, exercise: str | None) -> str:
    """The text of a cell as a student gets it."""
    lines, out, at = source.splitlines(), [], 0
    found = regions(source)
    if found and exercise is None:
        raise ValueError('holds a solution region and is no answer; give the cell its exercise: # %% answer="9.3"')
    if exercise is not None and not found:
        raise ValueError(f"answers {exercise} and holds no solution region; mark it with {' and '.join(MARKS)}")
    for begin, end in found:
        out += lines[at:begin]
        indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        if cell_type == "markdown":
            out.append(WRITE)
        elif indent:
            out.append(f'{indent}raise NotImplementedError("{exercise}")')
        else:
            out += _outermost_stub(lines[begin + 1 : end], "\n".join(out), exercise)
        at = end + 1
    return "\n".join([*out, *lines[at:]])


def _outermost_stub(region: list[str], before: str, exercise: str) -> list[str]:
    """For a region outside any function: `name = None` for what it sets, unless the cell has set it before."""
    have, names = _set_by(ast.parse(before).body), []
    for node in ast.parse(textwrap.dedent("\n".join(region))).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            raise ValueError(f"its outermost region holds {ast.unparse(node)[:40]!r}; there, values are set and "
                             "helpers are defined, nothing is run; put the rest into a function")
        names += [name for name in _set_by([node]) if name not in have and name not in names]
    return [f"{name} = None  # {exercise}: your answer" for name in names] or [ABOVE if have else ROOM]


def _set_by(nodes) -> list[str]:
    """The names that these statements assign, in order."""
    return [name.id for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            for name in ast.walk(target) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]


def _points(cell, exercise: str, read_by_people: bool) -> int:
    """The attribute `points`; else, for a check, what the exercise itself says."""
    if "points" in cell.metadata:
        return int(cell.metadata["points"])
    if read_by_people:
        raise ValueError(f"the text answer of {exercise} has no points: # %% [markdown] answer=\"{exercise}\" points=2")
    try:
        from pslab import exercises
    except ImportError:
        raise ValueError(f'no points are known for {exercise}: # %% check="{exercise}" points=5') from None
    return int(exercises.get(exercise).points)
