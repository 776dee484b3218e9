"""Exercise 11.9.1 in one picture: the sparse side's bytes over the ring's, as a line and as counted by a ledger.

    1 ─────────────●────    above this line the dense ring moves fewer bytes
                ╱ ┆         lines: pslab.cost; marks: a run's ledger
              ╱   29.2 %    one line a row length
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pslab import cost
from pslab.train import CrossoverPoint, sweep_crossover

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, styled, type_pt

KEY_BYTES = 8
_LOOKS = ("server", "allreduce", "hybrid", "gather", "amber", "sky")


def verdict_crossover(counted: Sequence[CrossoverPoint] | None = None, view: str = "totals") -> Picture:
    """Bytes of the sparse side over those of a dense all-reduce, against the share of rows that one worker touches.

    counted: of `pslab.train.sweep_crossover`; by default a small one of its own, K = 8, two tables.
    view: which of its points to draw, and which formula.
    """
    if counted is None:
        counted = sweep_crossover(workers=8, rows=(120, 480), dims=(1, 16, 128), views=(view,))
    shown = [point for point in counted if point.view == view]
    if not shown:
        raise ValueError(f"view={view!r}; counted holds {', '.join(sorted({p.view for p in counted})) or 'no points'}")
    K, S = shown[0].workers, shown[0].servers
    dims = sorted({point.dim for point in shown})
    exact = all(point.exact for point in shown)
    title = f"K = {K}, S = {S}: {len(shown)} points counted, {'all' if exact else 'NOT all'} as predicted"
    shares = np.linspace(0.0, 1.0, 60)
    with styled():
        figure, axes = new_figure(height_in=3.8)
        for look, dim in zip(_LOOKS, dims):
            color, flip = LOOKS[look].color, cost.crossover_fraction(K, dim, KEY_BYTES, S, view)
            axes.plot(100 * shares, shares / flip, color=color, linewidth=points(1.6), zorder=2)
            mine = [point for point in shown if point.dim == dim]
            axes.plot([100 * p.fraction for p in mine], [p.sparse / p.dense for p in mine], LOOKS[look].marker,
                      color=color, markersize=points(6), zorder=4, label=f"D = {dim}: flips at {100 * flip:.1f} %")
            if flip <= 1:
                axes.plot([100 * flip] * 2, [0, 1], color=color, linestyle=":", linewidth=points(1.2))
        axes.axhline(1, color=INK, linewidth=points(1.2))
        axes.annotate("above: the dense ring moves fewer bytes", (34, 1), xytext=(0, points(3)), va="bottom",
                      textcoords="offset points", color=SOFT, fontsize=type_pt(8.5))
        axes.set_xlim(0, 100)
        axes.set_ylim(0, max(1.35, *(min(p.sparse / p.dense, 2.6) * 1.08 for p in shown)))
        axes.set_xlabel("rows one worker touches (% of the table)")
        axes.set_ylabel("sparse over dense (bytes / bytes)")
        axes.set_title(title)
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.92), labelcolor=INK, frameon=True, framealpha=1,
                    edgecolor="none")
    rows = [[p.rows, p.dim, f"{100 * p.fraction:.1f} %", p.dense, p.sparse, "ring" if p.ring_wins else "sparse",
             "yes" if p.exact else "NO"] for p in shown]
    note = f"counted: {cost.CROSSOVER_VIEWS[view]}"
    return Picture(figure, title, Table(["V", "D", "touched", "dense (B)", "sparse (B)", "fewer", "as predicted"], rows,
                                        note))
