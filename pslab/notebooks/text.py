"""The text side: which notebooks there are, and what a text says the notebook's cells are.

A text is a jupytext percent script: `# %% [markdown]` opens a text cell, `# %%` a code cell,
`# %% tags=["nbval-ignore-output"]` a code cell with a tag. In a lab's text (solutions/src) cells may also say
`answer="9.3"`, `check="9.3"`, `needs="9.3"` and `points=5`: see labs.py.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat

from pslab.notebooks.labs import metadata_of, student_version

CHAPTERS, LABS, SOLUTIONS = FOLDERS = ("chapters", "labs", "solutions")

# The same in every notebook, so that a rebuild changes only what it must.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

# A stored view of a widget needs a kernel that is gone; this stands in its place.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "(a control: run this notebook to move it)"

# How long the notebook ran when it was built, rounded up to ten seconds: a coarse number seldom changes.
RUN_TIME = "run_s_at_most"

_CELL_METADATA = ("tags", "nbgrader", "editable", "deletable", "slideshow")


@dataclass(frozen=True)
class Pair:
    """A text and a notebook made of it."""

    source: Path
    notebook: Path

    @property
    def name(self) -> str:
        """What people call it: folder and name, as in chapters/11_09_parameter_server_vs_all_reduce."""
        return f"{self.notebook.parent.name}/{self.notebook.stem}"

    @property
    def is_lab(self) -> bool:
        """True for the student's version, whose text is the solution's."""
        return self.notebook.parent.name == LABS


def find_pairs(root: Path) -> list[Pair]:
    """Every text under root with its notebooks, existing or not; a notebook without a text makes a pair as well."""
    pairs = set()
    for folder in FOLDERS:
        texts = root / (SOLUTIONS if folder == LABS else folder) / "src"
        names = {path.stem for path in (*texts.glob("*.py"), *(root / folder).glob("*.ipynb"))}
        pairs |= {Pair(texts / f"{name}.py", root / folder / f"{name}.ipynb") for name in names}
    return sorted(pairs, key=lambda pair: pair.name)


def read_pair(pair: Pair) -> nbformat.NotebookNode:
    """The notebook as its text describes it, without outputs; of a lab, the student's version."""
    fresh = read_source(pair.source)
    if pair.notebook.parent.name not in (LABS, SOLUTIONS):
        return fresh
    student = student_version(fresh)  # of the solution as well: a broken mark is found before anything is stored
    student.metadata["pslab"]["source"] = f"../{SOLUTIONS}/src/{pair.source.name}"
    return student if pair.is_lab else fresh


def read_source(source: Path) -> nbformat.NotebookNode:
    """The notebook that `source` describes: cells with stable ids, minimal metadata, no outputs."""
    text = source.read_text(encoding="utf-8")
    parsed = jupytext.reads(text, fmt="py:percent")
    seen, exercises = Counter(), Counter()
    cells = []
    for number, cell in enumerate(parsed.cells, start=1):
        seen[cell.source] += 1
        try:
            asked = metadata_of(cell, exercises)
        except ValueError as error:
            raise ValueError(f"{source.name}: cell {number}: {error}") from None
        fresh = nbformat.NotebookNode(
            cell_type=cell.cell_type,
            id=_cell_id(cell.source, seen[cell.source]),
            metadata={**{key: cell.metadata[key] for key in _CELL_METADATA if key in cell.metadata}, **asked},
            source=cell.source,
        )
        if cell.cell_type == "code":
            fresh.execution_count, fresh.outputs = None, []
        cells.append(fresh)
    metadata = {
        "kernelspec": dict(KERNELSPEC),
        "language_info": {"name": "python"},
        "pslab": {"source": f"src/{source.name}", "source_sha256": source_hash(text)},
    }
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def source_hash(text: str) -> str:
    """Names one state of a text; stored in the notebook that was built from it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _cell_id(source: str, occurrence: int) -> str:
    """Depends on what the cell says, not on where it stands: a new cell changes no other cell's id."""
    return hashlib.sha256(f"{occurrence}\0{source}".encode()).hexdigest()[:12]
