"""The page of a class with the recorded output beside each live cell: what to show when the machine fails.

    - Live: `viz.links(ring.ledger`      ->   the same line, and under it the stored picture, closed until it is needed
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import nbformat

from pslab.classroom import open_chapter
from pslab.notebooks.text import WIDGET_NOTE as CONTROL

_LIVE = re.compile(r"^- Live: `([^`]+)`\s*$", re.MULTILINE)


def with_recordings(text: str, number: str, root: Path) -> str:
    """The page of chapter `number` with what the chapter's stored notebook shows under each of its live lines."""
    chapter = open_chapter(number, root)
    stored = nbformat.read(chapter.notebook, as_version=4)
    outputs = {cell.live: _outputs(stored.cells, cell.number) for cell in chapter.live}
    numbers = {cell.live: cell.number for cell in chapter.live}

    def beside(match: re.Match) -> str:
        shown = "".join(map(_as_html, outputs[match[1]]))
        closed = f"<details class='recorded'><summary>cell {numbers[match[1]]}, as recorded</summary>{shown}</details>"
        return f"{match[0].rstrip()}\n\n  {closed}\n"

    return _LIVE.sub(beside, text)


def _outputs(cells: list, number: int) -> list:
    """What cell `number` shows; for a control its first view, which is the picture of the code cell before it."""
    own = cells[number - 1].outputs
    if all(output.get("data", {}).get("text/plain") == CONTROL for output in own):
        before = [cell for cell in cells[: number - 1] if cell.cell_type == "code"]
        return before[-1].outputs if before else own
    return own


def _as_html(output) -> str:
    """One stored output in one line of HTML: a blank line would end it for Markdown."""
    data = output.get("data", {})
    if "image/png" in data:
        alt = output.metadata.get("image/png", {}).get("alt", "")
        picture = "".join(data["image/png"].split())
        return f"<img alt='{html.escape(alt, quote=True)}' src='data:image/png;base64,{picture}'>"
    if "text/html" in data:
        return " ".join(data["text/html"].split())
    text = output.get("text") or data.get("text/plain", "")
    return f"<pre>{html.escape(text.rstrip())}</pre>".replace("\n", "&#10;")
