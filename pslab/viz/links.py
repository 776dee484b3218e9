"""Which links a run used, and how much: every rank a dot, every link an arrow as wide as its bytes.

    a ring (no servers)        a server job (workers left, servers right)
         ●──▶●                      ●═══▶■
         ▲   │                      ●═══▶■     each arrow one direction, its number the bytes that went that way
         ●◀──●                      ●═══▶■
"""

from __future__ import annotations

from math import cos, pi, sin

from matplotlib.patches import FancyArrowPatch

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, PAPER, bytes_unit, number, points, styled, type_pt

BEND = 0.14  # of the arrows, so that the two directions of a link lie side by side


def links(ledger, *, servers: int = 0, kind: str | None = None, title: str = "Bytes on every link") -> Picture:
    """Draw a run's ledger. servers: how many of the last ranks are servers; kind: vals, keys, header, retry or all."""
    size = ledger.world_size
    if not 0 <= servers < size:
        raise ValueError(f"servers={servers}; this run has {size} ranks, and at least one must be a worker")
    names = [f"worker {r}" for r in range(size - servers)] + [f"server {s}" for s in range(servers)]
    if not servers:
        names = [f"rank {r}" for r in range(size)]
    flows = [(src, dst, ledger.link(src, dst, kind)) for src in range(size) for dst in range(size) if src != dst]
    flows = [flow for flow in flows if flow[2]]
    unit_bytes, unit = bytes_unit(max((f[2] for f in flows), default=0))
    with styled():
        figure, axes = new_figure(height_in=3.6, width_in=5.6)
        places = _places(size, servers)
        for flow in flows:
            _arrow(axes, places, flow, max(f[2] for f in flows), unit_bytes, size - servers)
        for rank, (x, y) in enumerate(places):
            look = LOOKS["server" if rank >= size - servers else "allreduce"]
            axes.plot([x], [y], look.marker, color=look.color, markersize=points(15), zorder=4)
            aside = [0 if abs(x) < 0.1 else 13 if x > 0 else -13, 17 if y > 0.99 and not servers else 0]
            if not aside[0] and not aside[1]:
                aside[1] = -17
            axes.annotate(names[rank], (x, y), xytext=[points(step) for step in aside], textcoords="offset points",
                          va="center", fontsize=type_pt(9), ha={0: "center", 13: "left", -13: "right"}[aside[0]])
        axes.set_xlim(-1.5, 1.5)
        axes.set_ylim(min(y for _, y in places) - 0.4, max(y for _, y in places) + 0.3)
        axes.axis("off")
        axes.set_title(f"{title} ({unit})")
    rows = [[names[src], names[dst], count] for src, dst, count in flows]
    return Picture(figure, title, Table(["from", "to", "bytes"], rows))


def _places(size: int, servers: int) -> list[tuple[float, float]]:
    """A circle without servers; else workers in a column on the left and servers in one on the right, both centred."""
    if not servers:
        return circle(size)
    workers = size - servers

    def column(x, count):
        return [(x, 1 - 2 * (i + 0.5) / count) for i in range(count)]

    return column(-1.0, workers) + column(1.0, servers)


def circle(size: int) -> list[tuple[float, float]]:
    """Rank 0 on top, the others after it clockwise."""
    return [(sin(2 * pi * r / size), cos(2 * pi * r / size)) for r in range(size)]


def _arrow(axes, places, flow, largest, unit_bytes, workers) -> None:
    src, dst, count = flow
    (x0, y0), (x1, y1) = places[src], places[dst]
    look = LOOKS["server" if max(src, dst) >= workers else "allreduce"]
    axes.add_patch(FancyArrowPatch((x0, y0), (x1, y1), connectionstyle=f"arc3,rad={BEND}", shrinkA=points(11),
                                   shrinkB=points(11), arrowstyle="-|>", mutation_scale=points(11),
                                   color=look.color, alpha=0.75, zorder=2,
                                   linewidth=points(0.8 + 3.2 * count / largest)))
    # the number rides on the arc (a parabola beside the straight line), nearer to the sender than to the middle
    part = 0.3
    beside = 2 * part * (1 - part) * BEND
    x = x0 + part * (x1 - x0) + beside * (y1 - y0)
    y = y0 + part * (y1 - y0) - beside * (x1 - x0)
    axes.annotate(number(float(count / unit_bytes)), (x, y), ha="center", va="center", fontsize=type_pt(8), color=INK,
                  zorder=5, bbox={"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85})
