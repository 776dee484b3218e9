"""Several runs side by side: which links each pattern used, and how much it put on them.

    broadcast        gather           all_to_all
      ●──▶●            ●   ●            ●◀─▶●
      │╲               ╲   │            ▲╲ ╱▲        each arrow one direction of a link, as wide as its bytes
      ▼ ╲▶             ▶●◀─┘            ▼╱ ╲▼
      ●   ●            ●──▲             ●◀─▶●
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from matplotlib.patches import FancyArrowPatch

from .links import BEND, circle
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, sized, styled, type_pt

MOST_RANKS = 16


def patterns(ledgers: Mapping, *, kind: str | None = None, columns: int = 4,
             title: str = "Which links each pattern uses") -> Picture:
    """Draw the ledger of each run (name -> a `Run` or its `Ledger`) as a circle of ranks, all on one scale of widths.

    kind: vals, keys, header, retry, or all. columns: pictures in a row. Below each name stands what all links carried
    together, and what the busiest direction of a port did.
    """
    books = {name: getattr(run, "ledger", run) for name, run in ledgers.items()}
    if not books:
        raise ValueError("ledgers is empty; one run at least is needed")
    if not isinstance(columns, int) or columns < 1:
        raise ValueError(f"columns={columns!r}; 1 or more is needed")
    for name, ledger in books.items():
        if ledger.world_size > MOST_RANKS:
            raise ValueError(f"ledgers[{name!r}] has {ledger.world_size} ranks; at most {MOST_RANKS} can be told apart")
    columns = min(columns, len(books))
    lines = ceil(len(books) / columns)
    largest = max(max((flow[2] for flow in _flows(ledger, kind)), default=0) for ledger in books.values())
    with styled():
        figure, grid = new_figure(width_in=1.9 * columns + 0.4, height_in=0.5 + 2.2 * lines, rows=lines,
                                  columns=columns, squeeze=False)
        cells = list(grid.flat)
        for axes, (name, ledger) in zip(cells, books.items()):
            _draw(axes, name, ledger, kind, largest)
        for axes in cells:
            axes.axis("off")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    return Picture(figure, title, _twin(books, kind))


def _draw(axes, name, ledger, kind, largest) -> None:
    look, places = LOOKS["allreduce"], circle(ledger.world_size)
    for src, dst, count in _flows(ledger, kind):
        axes.add_patch(FancyArrowPatch(places[src], places[dst], connectionstyle=f"arc3,rad={BEND}", zorder=2,
                                       shrinkA=points(8), shrinkB=points(8), arrowstyle="-|>",
                                       mutation_scale=points(8), color=look.color, alpha=0.8,
                                       linewidth=points(0.6 + 2.4 * count / largest)))
    for rank, (x, y) in enumerate(places):
        axes.plot([x], [y], "o", color="white", markeredgecolor=SOFT, markersize=points(14), zorder=4)
        axes.text(x, y, str(rank), ha="center", va="center", fontsize=type_pt(8), color=INK, zorder=5)
    axes.set_xlim(-1.35, 1.35)
    axes.set_ylim(-1.35, 1.35)
    axes.set_aspect("equal")
    axes.set_title(name, fontsize=type_pt(9.5), loc="center", pad=points(3) + 1.4 * type_pt(8))
    axes.text(0.5, 1.0, f"all {sized(ledger.total(kind))}, port {sized(ledger.busiest_port(kind)[2])}", ha="center",
              va="bottom", transform=axes.transAxes, fontsize=type_pt(8), color=INK)


def _flows(ledger, kind) -> list[tuple[int, int, int]]:
    size = ledger.world_size
    flows = [(src, dst, ledger.link(src, dst, kind)) for src in range(size) for dst in range(size) if src != dst]
    return [flow for flow in flows if flow[2]]


def _twin(books, kind) -> Table:
    rows = []
    for name, ledger in books.items():
        rank, way, most = ledger.busiest_port(kind)
        links = ", ".join(f"{src} → {dst}: {sized(count)}" for src, dst, count in _flows(ledger, kind)[:16])
        left = len(_flows(ledger, kind)) - 16
        rows.append([name, ledger.total(kind), f"rank {rank} {way}: {sized(most)}",
                     links + (f" and {left} more" if left > 0 else "")])
    return Table(["pattern", "bytes", "busiest port", "links"], rows)
