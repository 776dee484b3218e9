"""Boxes and arrows: a decision, or the way of the data through one step.

    viz.flow([Box("q", "Does it fit?", (0, 0)), Box("ring", "all-reduce", (2, 0), "allreduce")],
             [("q", "ring", "yes")], title="...")
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, PAPER, SOFT, points, style_name, styled, type_pt

WIDTH, HEIGHT = 1.4, 0.62  # of a box; one column is 2 wide, one row 1 high


class Box(NamedTuple):
    """A box at (column, row), row 0 on top; `look` names its colour, '' is plain."""

    name: str
    text: str
    at: tuple[float, float]
    look: str = ""


def flow(boxes: Sequence[Box], arrows: Sequence[tuple[str, str, str]], *, title: str) -> Picture:
    """Draw boxes and arrows (from, to, what stands on the arrow). The table twin lists the arrows in words."""
    by_name = {box.name: box for box in boxes}
    for arrow in arrows:
        for name in arrow[:2]:
            if name not in by_name:
                raise ValueError(f"arrow {arrow} names box {name!r}; there are {', '.join(by_name)}")
    columns = max(box.at[0] for box in boxes) - min(box.at[0] for box in boxes)
    lines = max(box.at[1] for box in boxes) - min(box.at[1] for box in boxes)
    with styled():
        figure, axes = new_figure(width_in=min(2.4 + 2.2 * columns, 9.0), height_in=1.3 + 1.05 * lines)
        # a stage is as wide for four columns as for two: there, words go to the next line earlier
        unit_pt = figure.get_figwidth() * 72 / (2 * columns + 2)
        characters, between = (int(width * unit_pt / (0.64 * type_pt(8.5))) for width in (WIDTH, 2 - WIDTH))
        for box in boxes:
            _draw_box(axes, box, characters)
        for src, dst, text in arrows:
            up = any(by_name[b].at[1] < by_name[a].at[1] for a, b, _ in arrows if a == src)
            _draw_arrow(axes, by_name[src], by_name[dst], text, between, side=-1 if up else 1)
        xs, ys = [2 * box.at[0] for box in boxes], [-box.at[1] for box in boxes]
        axes.set_xlim(min(xs) - 1, max(xs) + 1)
        axes.set_ylim(min(ys) - 0.5, max(ys) + 0.5)
        axes.axis("off")
        axes.set_title(title)
    rows = [[_plain(by_name[src].text), text or "→", _plain(by_name[dst].text)] for src, dst, text in arrows]
    return Picture(figure, title, Table(["from", "if", "to"], rows))


def _draw_box(axes, box: Box, characters: int) -> None:
    x, y = 2 * box.at[0], -box.at[1]
    color, width = (LOOKS[box.look].color, 2.2) if box.look else (SOFT, 1.2)
    corner, shape = (x - WIDTH / 2, y - HEIGHT / 2), "round,pad=0,rounding_size=0.1"
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=shape, facecolor=PAPER, edgecolor=color,
                                  linewidth=points(width), zorder=2))
    text = box.text if style_name() == "quiet" else textwrap.fill(_plain(box.text), characters, break_on_hyphens=False)
    axes.text(x, y, text, ha="center", va="center", fontsize=type_pt(8.5), color=INK, zorder=3)


def _draw_arrow(axes, src: Box, dst: Box, text: str, characters: int, side: int) -> None:
    (x0, y0), (x1, y1) = (_edge(a, b) for a, b in ((src, dst), (dst, src)))
    axes.add_patch(FancyArrowPatch((x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=points(12), color=SOFT,
                                   zorder=1, shrinkA=1, shrinkB=1, linewidth=points(1.2)))
    if style_name() != "quiet":
        text = textwrap.fill(text, max(characters, 6), break_long_words=False)
    if text and y0 == y1:  # beside the arrow, for there is little room between two boxes; where no other arrow goes
        axes.annotate(text, ((x0 + x1) / 2, y0), xytext=(0, side * points(3)), textcoords="offset points", ha="center",
                      va="bottom" if side > 0 else "top", fontsize=type_pt(8), color=INK, zorder=4,
                      bbox={"boxstyle": "square,pad=0", "facecolor": PAPER, "edgecolor": "none"})
    elif text:
        axes.text((x0 + x1) / 2, (y0 + y1) / 2, text, ha="center", va="center", fontsize=type_pt(8), color=INK,
                  zorder=4, bbox={"boxstyle": "round,pad=0.2", "facecolor": PAPER, "edgecolor": "none"})


def _edge(box: Box, towards: Box) -> tuple[float, float]:
    """Where an arrow to or from `towards` meets the box: top or bottom within a column, else the side."""
    x, y = 2 * box.at[0], -box.at[1]
    if abs(towards.at[0] - box.at[0]) > 0.5:
        return x + (WIDTH / 2 if towards.at[0] > box.at[0] else -WIDTH / 2), y
    return x, y + (HEIGHT / 2 if towards.at[1] < box.at[1] else -HEIGHT / 2)


def _plain(text: str) -> str:
    return " ".join(text.split())
