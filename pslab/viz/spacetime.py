"""The space–time diagram: ranks from top to bottom, time from left to right, every message a band between two ranks.

    rank 0  ━━━━━╲━━╲━━━━━━━━━━━       the band leaves its sender while the message holds the sender's port,
                  ╲  ╲                 is slanted by the latency,
    rank 1  ━━━━━━━╲━━╲━━━━━━━━━       and ends where the last byte arrives
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from .picture import Picture, Table, new_figure
from .style import FAINT, INK, LOOKS, SOFT, look_of, points, seconds_unit, sized, styled

_LOOKS = {"tensor": "allreduce", "push": "server", "rows": "amber"}
_SPANS = {"wait": ("#f4f4f4", 1, 0.24), "sleep": (FAINT, 4, 0.1), "compute": ("#999999", 4, 0.16)}  # (color, z, width)
_SMALL = 0.02  # kinds whose largest message is below this share of the largest of all are drawn as one, in grey


def spacetime(run, *, names: Sequence[str] | None = None, title: str = "Who sends what to whom, when",
              rows: int = 12) -> Picture:
    """Draw a run's trace (a `Run` or its `Trace`).

    names: of the ranks, 'rank 0' and so on if not given. rows: how many messages the table twin lists.
    Colours: tensors, and mail by kind; small mail (acknowledgements, clocks) is grey. On the lanes, pale stretches are
    waiting and dark ones compute.
    """
    trace = getattr(run, "trace", run)
    names = list(names) if names is not None else [f"rank {r}" for r in range(trace.world_size)]
    if len(names) != trace.world_size:
        raise ValueError(f"names has {len(names)} entries; one for each of the {trace.world_size} ranks is needed")
    events = sorted(trace.events, key=lambda e: (e.start_s, e.src, e.dst))
    end_s = max([e.arrive_s for e in events] + [s.end_s for s in trace.spans], default=0.0)
    unit_s, unit = seconds_unit(end_s)
    with styled():
        figure, axes = new_figure(height_in=0.9 + 0.55 * min(trace.world_size, 16))
        _lanes(axes, names, end_s / unit_s)
        _spans(axes, trace.spans, unit_s)
        _messages(axes, events, unit_s)
        axes.set_xlabel(f"time ({unit})")
        axes.set_title(title)
    return Picture(figure, title, _twin(events, names, unit_s, unit, rows))


def _lanes(axes, names, end) -> None:
    axes.hlines(range(len(names)), 0, end, color=SOFT, linewidth=points(1.0), zorder=2)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.6, -0.4)  # the first rank on top
    axes.set_xlim(0, end * 1.01 if end else 1)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _spans(axes, spans, unit_s) -> None:
    for span in spans:
        color, zorder, width = _SPANS[span.what]
        stretch = (span.start_s / unit_s, (span.end_s - span.start_s) / unit_s)
        axes.broken_barh([stretch], (span.rank - width / 2, width), facecolor=color, zorder=zorder, linewidth=0)


def _messages(axes, events, unit_s) -> None:
    groups = _groups(events)
    for label, (color, bands) in groups.items():
        shapes = [_band(e, unit_s) for e in bands]
        axes.add_collection(PolyCollection(shapes, color=color, alpha=0.35, linewidth=points(1.0), zorder=3,
                                           label=label))
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


def _band(e, unit_s):
    """Corners of a message's band: first byte out, last byte out, last byte in, first byte in."""
    start, end, arrive = e.start_s / unit_s, e.end_s / unit_s, e.arrive_s / unit_s
    return [(start, e.src), (end, e.src), (arrive, e.dst), (max(arrive - (end - start), start), e.dst)]


def _kind(e) -> str:
    return e.tag if e.plane == "mail" else "tensor"


def _twin(events, names, unit_s, unit, rows) -> Table:
    lines = [[names[e.src], names[e.dst], _kind(e), sized(e.payload_bytes), round(e.start_s / unit_s, 3),
              round(e.arrive_s / unit_s, 3)] for e in events]
    left = len(lines) - rows
    note = f"... and {left} more messages, {len(lines)} in all" if left > 0 else ""
    return Table(["from", "to", "what", "payload", f"starts ({unit})", f"arrives ({unit})"], lines[:rows], note)
