"""A student's notebook, read as it lies in the file: which cells hold which answers.

    cell metadata  pslab: {"answer": "9.3"}     the student's code for 9.3: all of it runs, and must
                   pslab: {"check": "9.3"}      left out: whoever reads here asks the questions
                   none                         imports, functions, classes and constants run; what computes does not

Nothing is executed here, and no notebook package is needed.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

from .box import Cell, Source

_DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Notebook:
    """Its code cells in order, each with the exercise it answers ('' for a plain one)."""

    path: Path
    cells: tuple[tuple[str, Cell], ...]

    @property
    def answered(self) -> tuple[str, ...]:
        """Ids of the exercises that have an answer cell, in the order of the notebook."""
        return tuple(dict.fromkeys(exercise for exercise, _ in self.cells if exercise))

    @property
    def lab(self) -> str | None:
        """The lab most of its answers belong to; None without any."""
        labs = [exercise.partition(".")[0] for exercise in self.answered]
        return max(labs, key=labs.count, default=None)

    def source(self, exercise: str) -> Source:
        """What to run for one exercise: its own cells must run, others may fail (another answer may be unfinished)."""
        return Source.of_cells([Cell(cell.label, cell.text, needed=owner == exercise) for owner, cell in self.cells])


def read_notebook(path: str | Path) -> Notebook:
    """The notebook in a file. ValueError, in words, where it is none; OSError where there is no file."""
    path = Path(path)
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no notebook: it is not JSON ({error})") from None
    except RecursionError:
        raise ValueError(f"{path} is no notebook: it is nested too deeply") from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ValueError(f"{path} is no notebook: it has no list of cells")
    if data.get("nbformat") != 4:
        raise ValueError(f"{path} has notebook format {data.get('nbformat')!r}; format 4 is needed. "
                         "Open it in JupyterLab and save it")
    return Notebook(path, tuple(_cells(path, data["cells"])))


def _cells(path: Path, cells: list):
    seen: dict[str, int] = {}
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            raise ValueError(f"{path}: cell {number} is no cell")
        text, role = _text(cell.get("source")), _role(cell.get("metadata"))
        if text is None:
            raise ValueError(f"{path}: cell {number} has no text")
        if cell.get("cell_type") != "code" or "check" in role or not text.strip() or text.lstrip().startswith("%%"):
            continue
        owner = str(role.get("answer", ""))
        if owner:
            seen[owner] = seen.get(owner, 0) + 1
            label = f"the cell of {owner}" + (f" ({seen[owner]})" if seen[owner] > 1 else "")
            yield owner, Cell(label, _without_magic(text))
        else:
            text = definitions(_without_magic(text))
            if text.strip():
                yield "", Cell(f"cell {number}", text, needed=False)


def definitions(text: str) -> str:
    """The lines of a cell that import, define or set a constant, each at its old place; '' when it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    keep: set[int] = set()
    for node in tree.body:
        if isinstance(node, _DEFINES) or _constant(node):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            keep.update(range(first, node.end_lineno + 1))
    return "\n".join(line if i in keep else "" for i, line in enumerate(text.splitlines(), 1))


def _constant(node: ast.stmt) -> bool:
    """An assignment that calls nothing."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    return not any(isinstance(part, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)) for part in ast.walk(node))


def _without_magic(text: str) -> str:
    return _MAGIC.sub(r"\1pass", text)


def _text(source) -> str | None:
    if isinstance(source, list) and all(isinstance(part, str) for part in source):
        return "".join(source)
    return source if isinstance(source, str) else None


def _role(metadata) -> dict:
    role = metadata.get("pslab") if isinstance(metadata, dict) else None
    return role if isinstance(role, dict) else {}
