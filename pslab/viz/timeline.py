"""What every rank did, when: one lane a rank, its work and its waiting above, what it put on the wire below.

    rank 0  ████████░░░░░░░░████████      █ computes   ░ waits for a message   ┄ sleeps
                    ▬▬  ▬▬                ▬ sends: the message holds the rank's port
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Patch

from .picture import Picture, Table, new_figure
from .spacetime import lane_height_in, rank_names, write_names
from .style import INK, LOOKS, SOFT, points, seconds_unit, styled

# what -> (name in the legend, colour, hatch, from, to): the last two in lanes, downwards from the lane's middle
DOINGS = {
    "compute": ("computes", "#555555", "", -0.36, 0.06),
    "wait": ("waits", "#e4e4e4", "...", -0.36, 0.06),
    "sleep": ("sleeps", "#b8cfe0", "///", -0.36, 0.06),
    "send": ("sends", LOOKS["amber"].color, "", 0.12, 0.34),
}


def timeline(run, *, names: Sequence[str] | None = None, clock: str = "virtual",
             title: str = "What each rank does, when") -> Picture:
    """Draw a run's trace (a `Run` or its `Trace`) as a Gantt chart.

    names: of the ranks, 'rank 0' and so on if not given. clock: 'virtual' for a simulated run, 'real' for one of
    processes, where waiting includes copying and adding what comes. The twin sums up each rank's time; a rank may wait
    and send at once, so a line need not add up to the whole.
    """
    trace = getattr(run, "trace", run)
    if clock not in ("virtual", "real"):
        raise ValueError(f"clock={clock!r}; allowed: 'virtual', 'real'")
    names = rank_names(trace, names)
    stretches = _stretches(trace)
    end_s = max([end for parts in stretches.values() for _, _, end in parts]
                + [e.arrive_s for e in trace.events], default=0.0)
    unit_s, unit = seconds_unit(end_s)
    with styled():
        figure, axes = new_figure(height_in=0.9 + 0.9 * lane_height_in(trace.world_size) * trace.world_size)
        for what, parts in stretches.items():
            _draw(axes, what, parts, unit_s)
        _lanes(axes, names, end_s / unit_s)
        axes.set_xlabel(f"{clock} time ({unit})")
        axes.set_title(title)
        seen = [DOINGS[what] for what, parts in stretches.items() if parts]
        if seen:
            axes.legend(handles=[Patch(facecolor=color, hatch=hatch, edgecolor=SOFT, linewidth=0, label=label)
                                 for label, color, hatch, _, _ in seen],
                        loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, labelcolor=INK)
    return Picture(figure, title, _twin(stretches, names, end_s, unit_s, unit, clock))


def _stretches(trace) -> dict[str, list]:
    """{what: [(rank, start_s, end_s)]}, each in order of rank and time; touching stretches of one kind are one."""
    found = {what: [(s.rank, s.start_s, s.end_s) for s in trace.spans if s.what == what] for what in DOINGS}
    found["send"] = [(e.src, e.start_s, e.end_s) for e in trace.events]
    return {what: _joined(sorted(parts)) for what, parts in found.items()}


def _joined(parts: list) -> list:
    joined: list = []
    for rank, start, end in parts:
        if joined and joined[-1][0] == rank and start <= joined[-1][2]:
            joined[-1] = (rank, joined[-1][1], max(end, joined[-1][2]))
        elif end > start:
            joined.append((rank, start, end))
    return joined


def _draw(axes, what, parts, unit_s) -> None:
    label, color, hatch, above, below = DOINGS[what]
    for rank in sorted({rank for rank, _, _ in parts}):
        mine = [(start / unit_s, (end - start) / unit_s) for r, start, end in parts if r == rank]
        axes.broken_barh(mine, (rank + above, below - above), facecolor=color, hatch=hatch, edgecolor=SOFT, linewidth=0,
                         zorder=3, label=label, gid=f"{what} {rank}")


def _lanes(axes, names, end) -> None:
    axes.hlines([rank + 0.09 for rank in range(len(names))], 0, end, color=SOFT, linewidth=points(0.8), zorder=2)
    write_names(axes, names)
    axes.set_ylim(len(names) - 0.55, -0.5)  # the first rank on top
    axes.set_xlim(0, end * 1.01 if end else 1)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)


def _twin(stretches, names, end_s, unit_s, unit, clock) -> Table:
    """One line a rank: the time it spent on each thing that the run shows, in the picture's unit."""
    shown = [what for what, parts in stretches.items() if parts]
    rows = [[name, *(round(sum(end - start for r, start, end in stretches[what] if r == rank) / unit_s, 3)
                     for what in shown)] for rank, name in enumerate(names)]
    note = f"the run took {round(end_s / unit_s, 3):g} {unit} of {clock} time"
    return Table(["", *(f"{DOINGS[what][0]} ({unit})" for what in shown)], rows, note)
