"""Which rows of a table moved in which step, and which of them had a gradient: what a rule with a memory does.

              step 0 1 2 3
    row 0          ■ □ □ □       ■ a batch named it, and it moved
    row 1          . . ■ □       □ no batch named it, and it moved all the same
    row 2          . . . .       . it stood still
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .picture import Picture, Table, new_figure
from .style import FAINT, LOOKS, points, styled, type_pt

_KINDS = (("named and moved", LOOKS["allreduce"].color), ("moved, not named", LOOKS["amber"].color),
          ("still", FAINT))


def moved_rows(runs: Mapping[str, tuple], title: str = "Which rows move") -> Picture:
    """{name: (moved, named)}, each (steps, R) of truth values, a panel a run; rows that are named first lie on top.

    The twin counts, for each run, rows and steps in which a row was named, moved, and moved without being named.
    """
    if not runs:
        raise ValueError("runs is empty; at least one {name: (moved, named)} is needed")
    rows = []
    with styled():
        figure, axes = new_figure(height_in=3.5, columns=len(runs), squeeze=False)
        for panel, (name, pair) in zip(axes[0], runs.items()):
            moved, named = (np.asarray(each, bool) for each in pair)
            if moved.ndim != 2 or moved.shape != named.shape or not moved.size:
                raise ValueError(f"runs[{name!r}] has shapes {list(moved.shape)} and {list(named.shape)}; two equal "
                                 "ones of (steps, rows) are needed")
            steps, num_rows = named.shape
            first = np.where(named.any(axis=0), named.argmax(axis=0), steps)
            kinds = np.where(moved, np.where(named, 0, 1), 2).T[np.argsort(first, kind="stable")]
            colors = np.array([[int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)] for _, color in _KINDS])
            panel.imshow(colors[kinds], aspect="auto", interpolation="nearest", extent=(0.5, steps + 0.5, num_rows, 0))
            panel.grid(visible=False)
            panel.set_xlabel("step (count)")
            panel.set_ylabel("rows, by first look-up (count)")
            panel.set_title(name, fontsize=type_pt(9.5))
            panel.locator_params(nbins=4, integer=True)
            rows.append([name, int(named.sum()), int(moved.sum()), int((moved & ~named).sum())])
        for what, color in _KINDS:
            axes[0][-1].plot([], [], "s", color=color, label=what, markersize=points(7), markeredgecolor="#767676",
                             markeredgewidth=points(0.5))
        axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    return Picture(figure, title, Table(["", "named", "moved", "moved, not named"], rows,
                                        note="rows times steps"))
