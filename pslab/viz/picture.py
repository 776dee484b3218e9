"""What the functions of this room return: a table that reads as text, and a picture with such a table as its twin.

    Picture ──> the image, for those who see it        (image/png)
            ──> its title and its table, as text       (text/plain): for screen readers, terminals, and tests, which
                                                       compare the numbers and not the pixels
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .style import STAGE_PX, STYLES, number, style_name, styled


class Table:
    """Rows under named columns; numbers are set right, text left.

    >>> print(Table(["strategy", "MB"], [["server", 12.5], ["hybrid", 3]]))
    strategy    MB
    server    12.5
    hybrid       3
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence], note: str = ""):
        self.columns, self.rows, self.note = list(columns), [list(row) for row in rows], note
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"rows[{i}] has {len(row)} entries; columns has {len(self.columns)}")

    @property
    def text(self) -> str:
        """The table as lines of text."""
        return str(self)

    def column(self, name: str) -> list:
        """The entries of one column."""
        return [row[self.columns.index(name)] for row in self.rows]

    def __str__(self) -> str:
        texts = [self.columns, *([_text(value) for value in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts)]
        right = self._right()

        def line(row):
            return "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right)).rstrip()

        return "\n".join([*map(line, texts), *filter(None, [self.note])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        right = self._right()

        def line(tag, texts):
            cells = (f'<{tag} style="text-align:{"right" if r else "left"};padding:2px 8px">{html.escape(t)}</{tag}>'
                     for t, r in zip(texts, right))
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line("td", map(_text, row)) for row in self.rows)
        note = f'<p style="margin:0">{html.escape(self.note)}</p>' if self.note else ""
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>{note}"

    def _right(self) -> list[bool]:
        """For each column, whether it holds numbers only."""
        return [bool(self.rows) and all(isinstance(row[i], (int, float)) for row in self.rows)
                for i in range(len(self.columns))]


@dataclass
class Picture:
    """A figure, what it says in words, and its numbers as a table. The last line of a notebook cell shows it."""

    figure: Figure
    title: str
    table: Table

    @property
    def text(self) -> str:
        """What the picture says to those who do not see it: its title and its numbers."""
        return f"{self.title}\n\n{self.table}"

    def png(self) -> bytes:
        """The image, as the bytes of a PNG file."""
        buffer = io.BytesIO()
        with styled():
            FigureCanvasAgg(self.figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the image to `path`, a name that ends in .png."""
        if Path(path).suffix != ".png":
            raise ValueError(f"path={str(path)!r}; a name that ends in .png is needed")
        Path(path).write_bytes(self.png())

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": self.png(), "text/plain": repr(self)}, {"image/png": {"alt": self.title}}


def new_figure(width_in: float = 7.2, height_in: float = 3.4, columns: int = 1, rows: int = 1,
               **subplots):
    """(figure, axes) in the house style, outside pyplot: nothing is drawn twice and nothing is left open.

    width_in, height_in: on a page; on a stage all pictures fill the same 1280 × 720 pixels. Call it inside `styled()`.
    """
    if style_name() == "stage":
        dpi = STYLES["stage"]["figure.dpi"]
        width_in, height_in = STAGE_PX[0] / dpi, STAGE_PX[1] / dpi
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def _text(value) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return number(value, 4)
