"""The shape that every chapter has, so that a reader always knows where they are; template.py is such a chapter.

    1. title, big picture, objectives, prerequisites, minutes      3. a figure with controls and a static view of it
    2. numbered sections, each with its level, each with           4. in production: the library that does it at scale
       something that ran                                          5. questions with answers, the lab, further reading
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from pslab.notebooks.text import LABS, SOLUTIONS, WIDGET_NOTE

CHAPTER = re.compile(r"(\d\d)_(\d\d)([a-z]?)_\w+")     # a letter: a further part of a chapter, as 11.0b
LEVELS = ("Beginner", "Intermediate", "Advanced")
SECTION = re.compile(rf"## (\d+)\. .+ · \*({'|'.join(LEVELS)})\*")
PRODUCTION, QUESTIONS, READING = "## In production", "## Did it stick?", "## Further reading"
OPENING = {
    "**The big picture.**": "a paragraph that opens with it",
    "**After this chapter you can**": "the objectives, a numbered list",
    "**Before you start**": "what a reader should know",
    "**Time:**": "how long it takes to read and to run",
}
MIN_OBJECTIVES, MIN_QUESTIONS, MIN_READING = 3, 3, 2

_QUANTITY = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s?(?:B|kB|MB|GB|TB|ms|µs|s|%|times|bytes|rounds)(?!\w)")
_NUMBER = re.compile(r"\d[\d,_]*(?:\.\d+)?")


def shape(notebook: nbformat.NotebookNode, name: str, root: Path | None = None) -> list[str]:
    """What a stored chapter lacks, in words. name: its stem, '11_09_...'; others than chapters have no shape to keep.

    root: where labs are looked for; a chapter whose lab exists must link to it.
    """
    if not (number := CHAPTER.fullmatch(name)):
        return []
    parts = list(_parts(notebook))
    return [*_opening(parts[0], f"{int(number[1])}.{int(number[2])}{number[3]}"), *_sections(parts), *_control(parts),
            *_ending(parts), *_lab_link(notebook, number[2], number[3], root), *_prose_numbers(notebook)]


def _parts(notebook) -> Iterator[tuple[str, str, list]]:
    """(heading, all its prose, its code cells) for what stands before the first `## ` and for each `## ` after it."""
    heading, prose, code = "", [], []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            code.append(cell)
            continue
        for line in cell.source.splitlines():
            if line.startswith("## "):
                yield heading, "\n".join(prose), code
                heading, prose, code = line.strip(), [], []
            prose.append(line)
    yield heading, "\n".join(prose), code


def _opening(part, number: str) -> list[str]:
    _, prose, _ = part
    problems = [] if prose.startswith(f"# {number} ") else [f"does not open with its title, '# {number} ...'"]
    problems += [f"its opening lacks {mark!r}: {what}" for mark, what in OPENING.items() if mark not in prose]
    objectives = re.findall(r"^\d+\. ", prose.partition("**After this chapter you can**")[2], re.MULTILINE)
    if len(objectives) < MIN_OBJECTIVES:
        problems.append(f"names {len(objectives)} objectives; at least {MIN_OBJECTIVES}, numbered")
    time = prose.partition("**Time:**")[2].split("\n\n")[0]
    return problems + [f"its time does not say how long it takes {what}" for what in ("to read", "to run")
                       if what not in time]


def _sections(parts) -> list[str]:
    problems, expected = [], 1
    for heading, _, code in parts[1:]:
        if not re.match(r"## \d+", heading):
            continue
        if not (match := SECTION.fullmatch(heading)):
            problems.append(f"{heading!r} is not '## {expected}. Title · *Level*' with a level of {', '.join(LEVELS)}")
        elif int(match[1]) != expected:
            problems.append(f"{heading!r}: the sections before it make it number {expected}")
        expected += 1
        if not any(cell.outputs for cell in code):
            problems.append(f"{heading!r} runs nothing that shows a result")
    return problems if expected > 1 else ["has no numbered section"]


def _control(parts) -> list[str]:
    """One interactive figure, and its default view for those who only read."""
    for heading, _, code in parts:
        shown = [output.get("data", {}) for cell in code for output in cell.outputs]
        if any(data.get("text/plain") == WIDGET_NOTE for data in shown):
            # a control's own stored picture is not one: it stands there without a cell that draws it
            static = any("image/png" in data and data.get("text/plain") != WIDGET_NOTE for data in shown)
            return [] if static else [f"{heading!r} has a figure with controls and no static view of it"]
    return ["has no figure with controls"]


def _ending(parts) -> list[str]:
    by_heading = {heading: (prose, code) for heading, prose, code in parts}
    problems = [f"has no section {mark!r}" for mark in (PRODUCTION, QUESTIONS, READING) if mark not in by_heading]
    if problems:
        return problems
    order = [heading for heading, _, _ in parts if heading in (PRODUCTION, QUESTIONS, READING)]
    last_section = max((i for i, part in enumerate(parts) if SECTION.fullmatch(part[0])), default=0)
    if order != [PRODUCTION, QUESTIONS, READING] or parts[last_section + 1][0] != PRODUCTION:
        problems.append(f"after the numbered sections come {PRODUCTION!r}, {QUESTIONS!r}, {READING!r}, in this order")
    if not any(cell.outputs for cell in by_heading[PRODUCTION][1]):
        problems.append(f"{PRODUCTION!r} runs nothing")
    questions = len(re.findall(r"<details>\s*<summary>.+?</summary>.+?</details>", by_heading[QUESTIONS][0], re.DOTALL))
    if questions < MIN_QUESTIONS:
        problems.append(f"{QUESTIONS!r} asks {questions} questions with answers that open; at least {MIN_QUESTIONS}")
    if len(re.findall(r"^- ", by_heading[READING][0], re.MULTILINE)) < MIN_READING:
        problems.append(f"{READING!r} names fewer than {MIN_READING} sources")
    return problems


def _lab_link(notebook, number: str, letter: str, root: Path | None) -> list[str]:
    """Of lab 0's halves, 00a belongs to chapter 11.0 and 00b to its part 11.0b."""
    halves = (letter,) if letter else ("", "a")
    found = [lab for half in halves for lab in sorted((root / SOLUTIONS / "src").glob(f"lab_{number}{half}_*.py"))
             ] if root else []
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [f"has no link to its lab: [...](../{LABS}/{lab.stem}.ipynb)" for lab in found
            if f"(../{LABS}/{lab.stem}.ipynb)" not in prose]


def _prose_numbers(notebook) -> list[str]:
    """Figures with a unit that stand in prose and that no cell of the notebook holds or prints."""
    known = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            known |= {_bare(n) for text in (cell.source, *_printed(cell)) for n in _NUMBER.findall(text)}
    problems = []
    for place, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            prose = re.sub(r"```.*?```|\$[^$]*\$|`[^`]*`", " ", cell.source, flags=re.DOTALL)
            problems += [f"cell {place} says {match[0]!r}, which no cell of the notebook computes"
                         for match in _QUANTITY.finditer(prose) if _bare(match[1]) not in known]
    return problems


def _printed(cell) -> list[str]:
    texts = [output.get("text", "") for output in cell.outputs]
    return texts + [str(text) for output in cell.outputs for kind, text in output.get("data", {}).items()
                    if kind.startswith("text/")]


def _bare(number: str) -> str:
    return number.replace(",", "").replace("_", "")
