"""A stored notebook as a page: its outputs as they are, pictures with words for those who do not see them.

    under the title            a line that says how to run it, and the notebook to download
    a picture                  alternative text, and its numbers as a table that opens
    a control                  its line says where the static view stands: the picture above it
"""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import nbformat

from pslab.notebooks.text import WIDGET_NOTE as CONTROL


def prepared(path: Path, relinked: Callable[[str], str]) -> str:
    """The notebook at `path`, as JSON, ready for the site; `relinked` rewrites the links of a Markdown text."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("pslab", None)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source)
            if number == 0:
                cell.source = _with_header(cell.source, path)
        elif cell.cell_type == "code":
            cell.source = cell.source.strip("\n")
            _show_outputs(cell)
    return nbformat.writes(notebook)


def _with_header(source: str, path: Path) -> str:
    """The first cell with a line under its title; a notebook without a title is given its name as one."""
    title, _, rest = source.partition("\n") if source.startswith("# ") else (f"# {path.stem}", "", source)
    place = f"{path.parent.name}/{path.name}"
    return (f"{title}\n\n```{{container}} howto\nStored outputs, shown as they came. To run it: `make lab`, then open "
            f"`{place}` · {{download}}`the notebook <../notebooks/{place}>`\n```\n\n{rest}")


def _show_outputs(cell) -> None:
    outputs = []
    for output in cell.outputs:
        outputs.append(output)
        data = output.get("data", {})
        if "image/png" in data:
            title, _, numbers = data.get("text/plain", "").partition("\n\n")
            alt = output.metadata.get("image/png", {}).get("alt") or title
            if alt and not alt.startswith("<"):
                cell.metadata["mystnb"] = {"image": {"alt": alt}}
            if numbers.strip():
                outputs.append(_numbers(numbers))
        elif data.get("text/plain") == CONTROL:
            output.data = {"text/html": f'<p class="control">{html.escape(CONTROL)} Its first view is the picture '
                                        "above.</p>"}
    cell.outputs = outputs


def _numbers(numbers: str):
    table = f"<pre>{html.escape(numbers)}</pre>"
    page = f'<details class="numbers"><summary>the picture in numbers</summary>{table}</details>'
    return nbformat.v4.new_output("display_data", {"text/html": page})
