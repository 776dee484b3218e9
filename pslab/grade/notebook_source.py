"""Submissions: which files, whose they are, and where in each the answer to an exercise stands.

    FOLDER/alice.ipynb                    student "alice": the file's name
    FOLDER/alice/lab_09_verdict.ipynb     student "alice": the first folder's name (nbgrader's and most downloads' form)
    metadata pslab: {"student": "alice"}  student "alice": what the notebook itself says (--student-from metadata)

A cell answers an exercise by its metadata; where an editor or a download has lost it, by the functions that it defines.
What runs is what notebook.py says: the answer's cells, which must run, and imports and definitions of other cells,
which may fail. So an error elsewhere never takes an exercise's points.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from .box import Cell, Source
from .exercise import Exercise
from .notebook import Notebook, read_notebook

MOST_BYTES = 64 << 20
STUDENT_FROM = ("filename", "metadata")
# How a file begins that is something else, and what it is.
_OTHERS = ((b"PK\x03\x04", "a zip archive; unpack it"), (b"%PDF", "a PDF; the notebook itself is needed"),
           (b"<", "a web page; the notebook itself is needed (a browser may have saved its preview)"),
           (b"\x89PNG", "a picture"), (b"\x1f\x8b", "a gzip archive; unpack it"))


class Unreadable(ValueError):
    """Why a submission cannot be graded, in words for whoever has to ask the student."""


@dataclass(frozen=True)
class Submission:
    """A file that was handed in. `sha256` is '' where it could not even be read."""

    path: Path
    student: str
    sha256: str = ""
    notebook: Notebook | None = None
    problem: str = ""


def find(target: Path) -> list[tuple[Path, str]]:
    """[(file, student by its name)] of a file or a folder, in order. ValueError where there is none."""
    target = Path(target)
    if not target.exists():
        raise ValueError(f"{target} is not there; a notebook, or a folder of notebooks, is needed")
    if not target.is_dir():
        return [(target, target.stem)]
    found = []
    for path in sorted(target.rglob("*")):
        parts = path.relative_to(target).parts
        if path.name.endswith(".ipynb") and not any(part.startswith(".") for part in parts):
            found.append((path, parts[0] if len(parts) > 1 else path.stem))
    if not found:
        raise ValueError(f"{target} holds no notebooks (*.ipynb)")
    return found


def read(path: Path, by_name: str, student_from: str = "filename") -> Submission:
    """A submission, with a problem in words where it cannot be graded."""
    submission = Submission(path, by_name)
    try:
        data = _bytes(path)
        submission = replace(submission, sha256=hashlib.sha256(data).hexdigest())
        _refuse_others(data)
        notebook = read_notebook(path)
        student = _student(data, by_name, student_from)
        return replace(submission, student=student, notebook=notebook)
    except Unreadable as error:
        return replace(submission, problem=str(error))
    except ValueError as error:
        return replace(submission, problem=str(error).replace(f"{path} ", "the file ", 1).replace(f"{path}: ", "", 1))
    except OSError as error:
        return replace(submission, problem=f"the file cannot be read: {error.strerror}")


def source_for(notebook: Notebook, exercise: Exercise) -> tuple[Source | None, str]:
    """(what to run for an exercise, a note); (None, '') when the notebook holds nothing of it."""
    if exercise.id in notebook.answered:
        return notebook.source(exercise.id), ""
    cells, found = [], []
    for owner, cell in notebook.cells:
        mine = [] if owner else _defines(cell.text, exercise.names)
        found += mine
        cells.append(Cell(cell.label, cell.text, needed=bool(mine)))
    if not found:
        return None, ""
    return Source.of_cells(cells), f"{exercise.id}: found by name ({', '.join(found)}); the cell has lost its mark"


def _defines(text: str, names: tuple[str, ...]) -> list[str]:
    """Which of the functions a cell defines; of text that does not parse, by its lines."""
    try:
        defined = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        defined = re.findall(r"^def +(\w+)", text, re.MULTILINE)
    return [name for name in names if name in defined]


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise Unreadable("it is a folder; a notebook is needed")
    if not path.is_file():
        raise Unreadable("it is no ordinary file")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise Unreadable(f"the file has {size / 2**20:,.0f} MiB; at most {MOST_BYTES >> 20} MiB are read "
                         "(clear all outputs and hand it in again)")
    return path.read_bytes()


def _refuse_others(data: bytes) -> None:
    if not data.strip():
        raise Unreadable("the file is empty")
    for start, what in _OTHERS:
        if data.lstrip().startswith(start):
            raise Unreadable(f"it is no notebook but {what}")


def _student(data: bytes, by_name: str, student_from: str) -> str:
    """The student's id. What the notebook says and what the file is called must not name two people."""
    import json

    metadata = json.loads(data).get("metadata")
    own = metadata.get("pslab", {}).get("student") if isinstance(metadata, dict) and isinstance(
        metadata.get("pslab", {}), dict) else None
    if own is not None and (not isinstance(own, str) or not own.strip()):
        raise Unreadable(f"it names the student {own!r}; a name of letters or digits is needed")
    if student_from == "metadata":
        if own is None:
            raise Unreadable("the notebook names no student (metadata pslab: student); use --student-from filename")
        return own
    if own is not None and own != by_name:
        raise Unreadable(f"it was handed in as {by_name!r}, and the notebook says it is {own!r}'s")
    return by_name
