"""No solution in the labs: both are the same outside the regions, and nothing of a region is anywhere in labs/.

Both are read from what is stored, not from the text, and by other means than those that made the labs.

    solutions/NAME.ipynb ──cell by cell──> labs/NAME.ipynb     same prefix before a region, same suffix after it
             └──every line of a region──> every file in labs/  none of them may be found

A line such as `K = comm.world_size` is one lab's solution and stands for everybody to read in another lab. There only
three lines of a region in a row count.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat

from pslab.notebooks.labs import MARKS, SOLUTION_ONLY, regions
from pslab.notebooks.text import LABS, SOLUTIONS

SHORT = 12   # characters without spaces: shorter lines (`return x`) may stand anywhere
IN_A_ROW = 3


def leaks(root: Path) -> list[str]:
    """Every place where a lab says more than its solution's unmarked part, in words.

    Nothing to compare is a problem, not a pass: no lab where there is a folder for them, a lab without a region.
    """
    if not (root / SOLUTIONS).is_dir() and not (root / LABS).is_dir():
        return []
    stored = sorted((root / SOLUTIONS).glob("*.ipynb"))
    if not stored:
        return [f"{SOLUTIONS}: no lab was found to compare with its solution"]
    problems, given = [], {path.name: "".join(map(_bare, _public_lines(path))) for path in stored}
    for path in stored:
        elsewhere = {name: text for name, text in given.items() if name != path.name}
        problems += [f"{LABS}/{path.stem}: {problem}" for problem in _compare(path, root / LABS / path.name)]
        problems += [f"{LABS}/{problem}" for problem in _found(_secret_lines(path), root / LABS, elsewhere)]
        problems += [f"{LABS}/{name} gives away lines of {path.stem}: {block[0]} ..." for name, text in
                     elsewhere.items() for block in _blocks(path) if "".join(map(_bare, block)) in text]
    return problems


def _compare(solution_path: Path, lab_path: Path) -> list[str]:
    if not lab_path.exists():
        return ["there is no student version of this solution; run `make notebooks`"]
    try:
        solution, lab = (nbformat.read(path, as_version=4) for path in (solution_path, lab_path))
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError):
        return ["it or its solution is not a readable notebook"]
    ours = [cell for cell in solution.cells if SOLUTION_ONLY not in cell.metadata.get("tags", ())]
    if len(ours) != len(lab.cells):
        return [f"has {len(lab.cells)} cells; its solution has {len(ours)} that belong into a lab"]
    problems, marked = [], 0
    for number, (have, want) in enumerate(zip(lab.cells, ours), start=1):
        marked += len(regions(want.source))
        if not re.fullmatch(_shape(want.source), have.source, re.DOTALL):
            problems.append(f"cell {number} differs from the solution outside the marked regions")
    if not marked:
        problems.append("its solution marks no region; there is nothing for a student to do")
    return problems


def _shape(source: str) -> str:
    """A pattern of the cell's own text, with one short stub in place of each region."""
    lines, pattern, at = source.splitlines(), [], 0
    for begin, end in regions(source):
        pattern += [re.escape(line) for line in lines[at:begin]]
        pattern.append(r" *(?:raise NotImplementedError\([^\n]*\)|# [^\n]*|\*Your answer[^\n]*|"
                       r"\w+ = None  # [^\n]*(?:\n\w+ = None  # [^\n]*)*)")
        at = end + 1
    return "\n".join([*pattern, *(re.escape(line) for line in lines[at:])])


def _lines(solution_path: Path):
    """(line, whether it is for the solution only) of every cell, and (None, False) between two cells."""
    for cell in nbformat.read(solution_path, as_version=4).cells:
        lines, inside = cell.source.splitlines(), set()
        for begin, end in regions(cell.source):
            inside |= set(range(begin, end + 1))
        if SOLUTION_ONLY in cell.metadata.get("tags", ()):
            inside = set(range(len(lines)))
        yield from ((line, i in inside) for i, line in enumerate(lines) if line.strip() not in MARKS)
        yield None, False


def _public_lines(solution_path: Path) -> list[str]:
    return [line for line, secret in _lines(solution_path) if line is not None and not secret]


def _secret_lines(solution_path: Path) -> dict[str, str]:
    """{line without spaces: line} for what stands in regions or solution-only cells, and nowhere else."""
    public = {_bare(line) for line in _public_lines(solution_path)}
    secret = {_bare(line): line.strip() for line, inside in _lines(solution_path) if inside}
    return {bare: line for bare, line in secret.items()
            if len(bare) >= SHORT and not any(bare in other for other in public)}


def _blocks(solution_path: Path) -> list[list[str]]:
    """Every few secret lines that stand one below the other, all of them long enough to count."""
    found, run = [], []
    for line, inside in _lines(solution_path):
        run = [*run, line.strip()] if inside and len(_bare(line)) >= SHORT else []
        if len(run) >= IN_A_ROW:
            found.append(run[-IN_A_ROW:])
    return found


def _found(secret: dict[str, str], folder: Path, elsewhere: dict[str, str]) -> list[str]:
    """Files in folder (and below) that hold a secret line, in whatever spacing.

    elsewhere: {another lab's file: what that lab gives to everybody}, where a single line may stand.
    """
    problems = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and ".ipynb_checkpoints" not in p.parts):
        text, free = _bare(_all_text(path)), elsewhere.get(path.name, "")
        problems += [f"{path.relative_to(folder).as_posix()} holds a line of a solution: {line}"
                     for bare, line in secret.items() if bare in text and bare not in free]
    return problems


def _all_text(path: Path) -> str:
    """What a file says; of JSON also the strings in it as a reader sees them, outputs included."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return "\n".join([text, *_strings(content)])


def _strings(node) -> list[str]:
    if isinstance(node, str):
        return [node]
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for part in inner for text in _strings(part)]


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)
