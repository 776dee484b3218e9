"""The rules a stored notebook must keep; each names the notebook, the cell and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from pslab.notebooks.labs import NEEDS_ANSWER
from pslab.notebooks.leaks import leaks
from pslab.notebooks.shape import shape
from pslab.notebooks.text import CHAPTERS, KERNELSPEC, RUN_TIME, WIDGET_NOTE, WIDGET_VIEW, Pair, find_pairs, read_pair

MAX_CELL_LINES = 25
MAX_RUN_S = 60
IGNORED = ("nbval-ignore-output", "nbval-skip")

# Places and addresses of the machine that built it: they differ for every reader, and say too much about the builder.
_PRIVATE = {
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{7,}\b"),
    "a path of the machine": re.compile(
        r"(?:(?<![\w./:-])/(?:home|root|tmp|work|mnt|opt|Users|private|workspace|var/folders)/[\w.]"
        r"|site-packages/|/ipykernel_\d|[A-Z]:\\Users\\)"
    ),
}


def check(root: Path) -> list[str]:
    """Every problem in every notebook under root, in words; an empty list means all is well."""
    pairs = find_pairs(root)
    if not pairs:
        return [f"{root}: no notebook and no text was found; texts lie in chapters/src/NAME.py"]
    return [problem for pair in pairs for problem in check_pair(pair)] + leaks(root)


def check_pair(pair: Pair) -> list[str]:
    """The problems of one notebook and its text."""
    if not pair.source.exists():
        where = pair.source.relative_to(pair.notebook.parents[1]).as_posix()
        return [f"{pair.name}: has no text {where}; notebooks are built from text"]
    if not pair.notebook.exists():
        return [f"{pair.name}: not built; run `make notebooks` and commit it"]
    try:
        stored = nbformat.read(pair.notebook, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        return [f"{pair.name}: not a readable notebook ({type(error).__name__}: {error})"]
    try:
        fresh = read_pair(pair)
    except (ValueError, SyntaxError) as error:
        return [f"{pair.name}: its text cannot be read: {error}"]
    problems = [*text_differs(stored, fresh), *long_cells(stored), *_outputs(stored), *_run_time(stored)]
    if pair.notebook.parent.name == CHAPTERS:
        problems += shape(stored, pair.notebook.stem, pair.notebook.parents[1])
    return [f"{pair.name}: {problem}" for problem in problems]


def long_cells(notebook: nbformat.NotebookNode) -> list[str]:
    """Code cells above the limit: one idea a cell."""
    return [
        f"cell {number}: {lines} lines of code; at most {MAX_CELL_LINES}, so split it"
        for number, cell in _code(notebook)
        if (lines := len(cell.source.rstrip().splitlines())) > MAX_CELL_LINES
    ]


def text_differs(stored: nbformat.NotebookNode, fresh: nbformat.NotebookNode) -> list[str]:
    """Where a stored notebook is not what its text says now; at most one line, the first difference."""
    rebuild = "edit the text, run `make notebooks` and commit both"
    if stored.metadata.get("kernelspec") != KERNELSPEC:
        return [f"its kernelspec is {stored.metadata.get('kernelspec')!r}, not the plain python3; {rebuild}"]
    for number, (have, want) in enumerate(zip(stored.cells, fresh.cells, strict=False), start=1):
        if have.cell_type != want.cell_type or have.source != want.source or have.metadata != want.metadata:
            return [f"cell {number} differs from its text; {rebuild}"]
    if len(stored.cells) != len(fresh.cells):
        return [f"has {len(stored.cells)} cells, its text {len(fresh.cells)}; {rebuild}"]
    built_from = {key: value for key, value in stored.metadata.get("pslab", {}).items() if key != RUN_TIME}
    if built_from != fresh.metadata["pslab"]:
        return [f"was built from another state of its text; {rebuild}"]
    return []


def _run_time(notebook: nbformat.NotebookNode) -> list[str]:
    seconds = notebook.metadata.get("pslab", {}).get(RUN_TIME)
    if seconds is None:
        return ["does not say how long it ran; run `make notebooks`"]
    return [f"ran up to {seconds} s when it was built; at most {MAX_RUN_S} s"] if seconds > MAX_RUN_S else []


def _outputs(notebook: nbformat.NotebookNode) -> list[str]:
    problems, compared = [], 0
    for number, cell in _code(notebook):
        ignored = any(tag in cell.metadata.get("tags", ()) for tag in IGNORED)
        if cell.execution_count is None and NEEDS_ANSWER not in cell.metadata.get("tags", ()):
            problems.append(f"cell {number}: was never executed; run `make notebooks`")
        for output in cell.outputs:
            texts = _texts(output)
            compared += bool(texts) and not ignored
            problems += [f"cell {number}: {what}" for what in _bad_output(output, texts, ignored)]
    if not compared:
        problems.append("stores no output that a test compares; a notebook without outputs passes nbval unread")
    return problems


def _bad_output(output: nbformat.NotebookNode, texts: list[str], ignored: bool) -> list[str]:
    if output.output_type == "error":
        return [f"stores an error, {output.ename}: {output.evalue}"]
    found = []
    if output.output_type == "stream" and output.name == "stderr" and not ignored:
        found.append(f"stores a warning: {output.text.strip().splitlines()[-1:]}")
    data = output.get("data", {})
    if WIDGET_VIEW in data:
        found.append("stores a widget's view, which shows an error without its kernel; run `make notebooks`")
    if data.get("text/plain") == WIDGET_NOTE and not ignored:
        found.append("shows a control: tag it nbval-ignore-output and print a static view beside it")
    for what, pattern in _PRIVATE.items():
        if match := next(filter(None, map(pattern.search, texts)), None):
            found.append(f"shows {what}: {_around(match)}")
    return found


def _texts(output: nbformat.NotebookNode) -> list[str]:
    """What of an output is text: pictures are never compared, and their base64 may look like anything."""
    if output.output_type == "stream":
        return [output.text]
    data = output.get("data", {})
    return [data[kind] for kind in ("text/plain", "text/html", "text/markdown", "image/svg+xml") if kind in data]


def _around(match: re.Match) -> str:
    return match.string[max(0, match.start() - 20) : match.end() + 20].strip().replace("\n", " ")


def _code(notebook: nbformat.NotebookNode) -> list[tuple[int, nbformat.NotebookNode]]:
    """(number as a person counts, cell) of every code cell."""
    return [(n, cell) for n, cell in enumerate(notebook.cells, start=1) if cell.cell_type == "code"]
