"""A chapter as a class needs it: its code cells, and which of them are demonstrations.

    docs/class/11_09.md             chapters/11_09_….ipynb
      ## 5–20 min · …                 cell 9:  viz.links(ring.ledger, …)
      - Live: `viz.links(ring` ───────▶  the one code cell that contains these words
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pslab

ROOT = Path(pslab.__file__).resolve().parent.parent
_SLOT = re.compile(r"^## (\d+)–(\d+) min · (.+?)\s*$")
_LIVE = re.compile(r"^- Live: (.+)$")
_MARK = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Slot:
    """A stretch of the class: minutes from its start, what it is called, and the cells shown in it."""

    start_min: int
    end_min: int
    title: str
    live: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A code cell: its number as Jupyter counts all cells from 1, its section, and the words that name it, if any."""

    number: int
    source: str
    section: str
    live: str = ""


@dataclass(frozen=True)
class Chapter:
    """A chapter and the page that says how to teach it."""

    number: str
    title: str
    notebook: Path
    page: Path | None
    slots: tuple[Slot, ...]
    cells: tuple[Cell, ...]

    @property
    def live(self) -> tuple[Cell, ...]:
        """The demonstrations, in the order of the notebook; without a page, every code cell is one."""
        named = tuple(cell for cell in self.cells if cell.live)
        return named if self.page else self.cells


def open_chapter(number: str, root: Path | None = None) -> Chapter:
    """The chapter `number` ("11.9") of the checkout; ValueError where it, or a cell its page names, is not there."""
    root = root or ROOT
    known = {found: path for path in sorted((root / "chapters").glob("*.ipynb")) if (found := _number(path.stem))}
    if number not in known:
        there = f"there are: {', '.join(known)}" if known else f"there is none under {root}"
        raise ValueError(f"chapter {number!r} is not here; {there}")
    notebook = known[number]
    page = root / "docs" / "class" / f"{'_'.join(notebook.stem.split('_')[:2])}.md"
    slots = read_page(page.read_text(encoding="utf-8")) if page.is_file() else ()
    title, cells = _cells(notebook)
    cells = _named(cells, [mark for slot in slots for mark in slot.live], page)
    return Chapter(number, title, notebook, page if page.is_file() else None, slots, cells)


def read_page(text: str) -> tuple[Slot, ...]:
    """The slots of a run-of-show page: a heading `## 5–20 min · title`, under it lines that begin with `- Live:`
    and name a cell by some of its words, in backticks."""
    slots: list[Slot] = []
    for line in text.splitlines():
        if found := _SLOT.match(line):
            slots.append(Slot(int(found[1]), int(found[2]), found[3], ()))
        elif (found := _LIVE.match(line)) and slots:
            last = slots.pop()
            slots.append(Slot(last.start_min, last.end_min, last.title, (*last.live, *_MARK.findall(found[1]))))
    return tuple(slots)


def _number(stem: str) -> str:
    """"11_09_parameter_server" -> "11.9", "11_00b_…" -> "11.0b"; "" where there is no number (the front page)."""
    found = re.match(r"(\d+)_(\d+)([a-z]?)_", stem)
    return f"{int(found[1])}.{int(found[2])}{found[3]}" if found and int(found[1]) else ""


def _cells(notebook: Path) -> tuple[str, tuple[Cell, ...]]:
    import nbformat

    title, section, cells = "", "", []
    for number, cell in enumerate(nbformat.read(notebook, as_version=4).cells, start=1):
        if cell.cell_type == "markdown":
            heads = re.findall(r"^(#{1,3}) (.+)$", cell.source, flags=re.MULTILINE)
            for depth, words in heads:
                title = title or words
                section = words if len(depth) > 1 else section
        elif cell.cell_type == "code":
            cells.append(Cell(number, cell.source, section.replace("*", "")))
    return title or notebook.stem, tuple(cells)


def _named(cells: tuple[Cell, ...], marks: list[str], page: Path) -> tuple[Cell, ...]:
    """The cells with the words that name them; each mark must lie in exactly one cell."""
    named = {}
    for mark in marks:
        places = [cell.number for cell in cells if mark in cell.source]
        if len(places) != 1:
            where = f"in {len(places)} code cells" if places else "in no code cell"
            raise ValueError(f"{page.name} shows the cell with `{mark}`, which stands {where} of the chapter; exactly "
                             "one is needed")
        named[places[0]] = mark
    return tuple(Cell(cell.number, cell.source, cell.section, named.get(cell.number, "")) for cell in cells)
