"""The space–time diagram: ranks from top to bottom, time from left to right, every message a band between two ranks.

    rank 0  ━━━━━╲━━╲━━━━━━━━━━━       the band leaves its sender while the message holds the sender's port,
                  ╲  ╲                 is slanted by the latency,
    rank 1  ━━━━━━━╲━━╲━━━━━━━━━       and ends where the last byte arrives

Where there is next to no latency, bands stand upright and hide each other; then an arrow leads from the moment and the
rank of the first byte to those of the last.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from .picture import Picture, Table, new_figure
from .style import FAINT, INK, LOOKS, SOFT, look_of, points, seconds_unit, sized, styled, type_pt

MOST = 5_000                  # bands that are drawn: more of them take seconds, and nobody tells them apart
_LOOKS = {"tensor": "allreduce", "push": "server", "rows": "amber"}
_SPANS = {"wait": ("#f4f4f4", 1, 0.24), "sleep": (FAINT, 4, 0.1), "compute": ("#999999", 4, 0.16)}  # (color, z, width)
UPRIGHT, ARROWS = 0.2, 40  # latency over port time below which arrows show the way, and messages up to which they do
_SMALL = 0.02  # kinds whose largest message is below this share of the largest of all are drawn as one, in grey


def spacetime(run, *, names: Sequence[str] | None = None, title: str = "Who sends what to whom, when",
              rows: int = 12, between: tuple[float, float] | None = None, most: int = MOST) -> Picture:
    """Draw a run's trace (a `Run` or its `Trace`).

    names: of the ranks, 'rank 0' and so on if not given. rows: how many messages the table twin lists.
    between: (from, to) in seconds of the run, what lies outside is not shown. most: of more messages than that the
    first are drawn, and a line says what is not shown.
    Colours: tensors, and mail by kind; small mail (acknowledgements, clocks) is grey. On the lanes, pale stretches are
    waiting and dark ones compute.
    """
    trace = getattr(run, "trace", run)
    names = rank_names(trace, names)
    events, begin_s, end_s = in_window(trace, between)
    if not isinstance(most, int) or most < 1:
        raise ValueError(f"most={most!r}; at least 1 message is needed")
    shown = events[:most]
    unit_s, unit = seconds_unit(end_s)
    with styled():
        figure, axes = new_figure(height_in=0.9 + lane_height_in(trace.world_size) * trace.world_size)
        lanes(axes, names, end_s / unit_s, begin_s / unit_s)
        spans(axes, [s for s in trace.spans if s.end_s >= begin_s and s.start_s <= end_s], unit_s)
        _messages(axes, shown, unit_s)
        cut = ""
        if len(shown) < len(events):
            last = shown[-1].start_s / unit_s
            cut = f"{len(events) - len(shown):,} of {len(events):,} messages, which start after {last:.4g} {unit}, " \
                  "are not drawn"
        axes.set_xlabel(f"time ({unit})" + (f"\n{cut}" if cut else ""))
        axes.set_title(title)
    return Picture(figure, title, _twin(events, names, unit_s, unit, rows, cut))


def table(run, *, names: Sequence[str] | None = None, rows: int | None = 1_000,
          between: tuple[float, float] | None = None) -> Table:
    """The same run as rows, one a message in the order in which they start: who, to whom, what, bytes, when.

    The four moments: the sender called; bytes begin to leave; the last byte is there; the receiver's program has it.
    rows: how many at most, the first ones (None: all); a line below says how many are left out.
    """
    trace = getattr(run, "trace", run)
    names = rank_names(trace, names)
    if rows is not None and (not isinstance(rows, int) or rows < 0):
        raise ValueError(f"rows={rows!r}; a number of rows, or None for all, is needed")
    events, _, end_s = in_window(trace, between)
    unit_s, unit = seconds_unit(end_s)
    lines = [[names[e.src], names[e.dst], e.what, e.payload_bytes,
              *(round(moment_s / unit_s, 3) for moment_s in (e.posted_s, e.start_s, e.arrive_s, e.received_s))]
             for e in events[:rows]]
    left = len(events) - len(lines)
    columns = ["from", "to", "what", "bytes", f"posted ({unit})", f"starts ({unit})", f"arrives ({unit})",
               f"taken ({unit})"]
    return Table(columns, lines, f"... and {left:,} more messages, {len(events):,} in all" if left else "")


# ---- parts that other pictures of runs use ------------------------------------------------------------------------


def rank_names(trace, names: Sequence[str] | None) -> list[str]:
    names = list(names) if names is not None else [f"rank {r}" for r in range(trace.world_size)]
    if len(names) != trace.world_size:
        raise ValueError(f"names has {len(names)} entries; one for each of the {trace.world_size} ranks is needed")
    return names


def in_window(trace, between: tuple[float, float] | None) -> tuple[list, float, float]:
    """(messages by their start, begin and end of what is shown), all of the run without a window."""
    events = sorted(trace.events, key=lambda e: (e.start_s, e.src, e.dst))
    if between is None:
        return events, 0.0, max([e.arrive_s for e in events] + [s.end_s for s in trace.spans], default=0.0)
    begin_s, end_s = between
    if not 0 <= begin_s < end_s:
        raise ValueError(f"between={between!r}; two moments in seconds, the earlier first, are needed")
    return [e for e in events if e.arrive_s >= begin_s and e.start_s <= end_s], begin_s, end_s


def lane_height_in(world_size: int) -> float:
    """Inches for a rank: less for more of them, so that 64 are still one picture."""
    return min(0.55, max(8.8 / world_size, 0.17 if world_size <= 64 else 0.0))


def lanes(axes, names, end, begin=0.0) -> None:
    """A line for each rank and its name; of many, as many names as find room."""
    axes.hlines(range(len(names)), begin, end, color=SOFT, linewidth=points(1.0 if len(names) <= 32 else 0.5), zorder=2)
    write_names(axes, names)
    axes.set_ylim(len(names) - 0.6, -0.4)  # the first rank on top
    axes.set_xlim(begin, end + (end - begin) * 0.01 if end else 1)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def write_names(axes, names) -> None:
    """At the lanes, as many names as find room: of more, every second, fourth, eighth, ..."""
    height_pt = axes.figure.get_figheight() * 72 - 80
    room = max(int(height_pt / (1.3 * type_pt(9.5))), 1)
    every = 1
    while len(names) > room * every:
        every *= 2
    axes.set_yticks(range(0, len(names), every), names[::every])
    axes.tick_params(axis="y", length=0)


def spans(axes, found, unit_s) -> None:
    """Pale stretches of waiting and dark ones of computing, on the lanes."""
    for span in found:
        color, zorder, width = _SPANS[span.what]
        stretch = (span.start_s / unit_s, (span.end_s - span.start_s) / unit_s)
        axes.broken_barh([stretch], (span.rank - width / 2, width), facecolor=color, zorder=zorder, linewidth=0)


def band(e, unit_s):
    """Corners of a message's band: first byte out, last byte out, last byte in, first byte in."""
    start, end, arrive = e.start_s / unit_s, e.end_s / unit_s, e.arrive_s / unit_s
    return [(start, e.src), (end, e.src), (arrive, e.dst), (max(arrive - (end - start), start), e.dst)]


# ---- messages -------------------------------------------------------------------------------------------------------


def _messages(axes, events, unit_s) -> None:
    groups = _groups(events)
    many = len(events) > 500
    opacity = 0.35 if not many or axes.get_ylim()[0] < 64.5 else 0.1       # of many ranks, bands lie on one another
    upright = any(e.arrive_s - e.end_s < UPRIGHT * (e.end_s - e.start_s) for e in events)
    led = upright and len(events) <= ARROWS            # without latency bands do not lean, and lie over one another
    opacity = 0.12 if led else opacity
    for label, (color, bands) in groups.items():
        shapes = [band(e, unit_s) for e in bands]
        axes.add_collection(PolyCollection(shapes, color=color, alpha=opacity, linewidth=points(0.5 if many else 1.0),
                                           zorder=3, label=label))
        for e in bands if led else ():
            axes.annotate("", (e.arrive_s / unit_s, e.dst), (e.start_s / unit_s, e.src), zorder=5, gid="arrow",
                          arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": points(1.2), "shrinkA": 0,
                                      "shrinkB": 0, "mutation_scale": points(10)})
    if len(groups) > 1:
        patches = [Patch(facecolor=color, alpha=0.5, label=label) for label, (color, _) in groups.items()]
        axes.legend(handles=patches, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, labelcolor=INK)


def _groups(events) -> dict:
    """{label: (color, events)}: one for each kind of weight, and one for all small kinds together."""
    largest = {}
    for e in events:
        largest[_kind(e)] = max(largest.get(_kind(e), 0), e.payload_bytes)
    small = sorted(kind for kind, size in largest.items() if size < _SMALL * max(largest.values()))
    heavy = sorted(set(largest) - set(small))
    spare = [look.color for name, look in LOOKS.items() if name not in (*_LOOKS.values(), "other")]
    groups = {}
    for kind in heavy:
        color = look_of(_LOOKS[kind]).color if kind in _LOOKS else spare[len(groups) % len(spare)]
        groups[kind] = (color, [e for e in events if _kind(e) == kind])
    if small:
        groups["\n".join(["small mail:", *small])] = (SOFT, [e for e in events if _kind(e) in small])
    return groups


def _kind(e) -> str:
    return e.tag if e.plane == "mail" else "tensor"


def _twin(events, names, unit_s, unit, rows, cut) -> Table:
    lines = [[names[e.src], names[e.dst], _kind(e), sized(e.payload_bytes), round(e.start_s / unit_s, 3),
              round(e.arrive_s / unit_s, 3)] for e in events[:rows]]
    left = len(events) - len(lines)
    note = f"... and {left} more messages, {len(events)} in all" if left > 0 else ""
    note += f"; in the picture, {cut}" if cut else ""
    return Table(["from", "to", "what", "payload", f"starts ({unit})", f"arrives ({unit})"], lines, note)
