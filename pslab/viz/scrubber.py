"""A run, step by step: a picture of any step, and a player for all of them.

    ▶ ■ ↻   ◀ step back   step forward ▶   ────●────────  3 of 6
    rank 0  ─────╲─────┃                     holds 0+1, 1, 2        before: pale   in this step: strong
    rank 1  ──────╲────┃                     holds 0, 1+2, 2        under way: dashed, it goes on behind the line
    Step 3 of 6, 20 to 30 µs: 4 × all_reduce of 1 kB: rank 0 → rank 1, ...

Everything is drawn in Python and shown as an image, so the player needs nothing but ipywidgets, and a run without a
browser still draws its picture. Keys: tab to the slider, arrows move it; the buttons take space and enter.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from .picture import Picture, Table, new_figure
from .spacetime import band, lane_height_in, lanes, rank_names, spans
from .steps import MOST, Step, Steps, check_snapshots, holding, told
from .style import INK, LOOKS, SOFT, points, seconds_unit, sized, styled, type_pt

# (face, edge, opacity of the face, line) of a message before, in, and at the end of the step
_DRAWN = {"earlier": (SOFT, "none", 0.25, "-"), "in this step": (LOOKS["allreduce"].color, "same", 0.4, "-"),
          "under way": ("none", LOOKS["server"].color, 1.0, "--")}
_ARROWS = 32                  # so many messages of a step have an arrow each; more would hide one another
_HIDE = 3_000                 # of the earlier messages, so many are drawn, the latest


def step(run, at: int | None = None, *, snapshots: Sequence | None = None, names: Sequence[str] | None = None,
         most: int = MOST, slack_s: float = 0.0, title: str = "") -> Picture:
    """One step of a run's trace (a `Run` or its `Trace`), the last if `at` is None; 0 is the beginning.

    snapshots: what each rank holds, one diary a rank: [(time_s, text), ...], times as `comm.now()` tells them; a
    program can return its own. slack_s: messages that arrive within so many seconds are one step; most: where a run has
    more steps, several are joined. The twin says for each rank what it sends and receives in the step, and what it
    holds at its end.
    """
    trace = getattr(run, "trace", run)
    names = rank_names(trace, names)
    check_snapshots(snapshots, trace.world_size)
    steps = Steps(trace, most, slack_s)
    return _drawn(trace, steps, len(steps) - 1 if at is None else at, snapshots, names, title)


def scrubber(run, *, at: int | None = None, snapshots: Sequence | None = None, names: Sequence[str] | None = None,
             most: int = MOST, slack_s: float = 0.0, title: str = "", interval_ms: int = 900):
    """A player over `step`'s picture: play, stop and repeat, a button back and one forward, a slider, the words below.

    at: the step it opens with, the last if None; the other arguments are those of `step`. interval_ms: between two
    steps while it plays.
    """
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    from .live import Live

    step(run, at, snapshots=snapshots, names=names, most=most, slack_s=slack_s, title=title)     # looks at arguments
    trace = getattr(run, "trace", run)
    steps, names = Steps(trace, most, slack_s), rank_names(trace, names)
    last = len(steps) - 1
    at = last if at is None else at
    player = ipywidgets.Play(value=at, min=0, max=last, interval=interval_ms, description="play the run step by step")
    back, forward = (ipywidgets.Button(description=text, tooltip=tip, layout={"width": "auto"}) for text, tip in
                     (("◀ step back", "one step back"), ("step forward ▶", "one step forward")))
    slider = ipywidgets.IntSlider(value=at, min=0, max=last, description="step", continuous_update=False)
    ipywidgets.link((player, "value"), (slider, "value"))
    image = ipywidgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
    words = ipywidgets.HTML()

    def redraw(_=None):
        picture = _drawn(trace, steps, slider.value, snapshots, names, title)
        image.value, box.picture = picture.png(), picture
        said, twin = html.escape(picture.table.note), Table(picture.table.columns, picture.table.rows)
        words.value = f"<p role='status' style='margin:0'>{said}</p>{twin._repr_html_()}"
        back.disabled, forward.disabled = slider.value == 0, slider.value == last

    def move(by):
        slider.value = min(max(slider.value + by, 0), last)

    back.on_click(lambda _: move(-1))
    forward.on_click(lambda _: move(1))
    slider.observe(redraw, names="value")
    controls = ipywidgets.HBox([player, back, forward, slider], layout={"flex_flow": "row wrap"})
    box = Live([controls, image, words])
    redraw()
    return box


def _drawn(trace, steps: Steps, at: int, snapshots, names, title: str) -> Picture:
    this = steps[at]
    end_s = max([e.arrive_s for e in trace.events] + [s.end_s for s in trace.spans], default=0.0)
    unit_s, unit = seconds_unit(end_s)
    holds = [holding(snapshots, rank, this.end_s) for rank in range(trace.world_size)]
    heading = f"{title}{': ' if title else ''}step {at} of {len(steps) - 1}"
    heading = heading[0].upper() + heading[1:]
    with styled():
        figure, axes = new_figure(height_in=1.2 + lane_height_in(trace.world_size) * trace.world_size)
        lanes(axes, names, end_s / unit_s)
        spans(axes, [s for s in trace.spans if s.start_s < this.end_s], unit_s)
        axes.axvspan(this.start_s / unit_s, this.end_s / unit_s, color="#f7f2e4", zorder=0, linewidth=0)
        axes.axvline(this.end_s / unit_s, color=INK, linewidth=points(1.2), zorder=5)
        groups = {"earlier": this.before[-_HIDE:], "in this step": this.arrived, "under way": this.under_way}
        for name, events in groups.items():
            face, edge, opacity, line = _DRAWN[name]
            axes.add_collection(PolyCollection([band(e, unit_s) for e in events], facecolor=face, alpha=opacity,
                                               edgecolor=face if edge == "same" else edge, linestyle=line,
                                               linewidth=points(1.2), zorder=4, gid=name))
        if len(this.arrived) <= _ARROWS:
            for e in this.arrived:
                axes.annotate("", (e.arrive_s / unit_s, e.dst), (e.start_s / unit_s, e.src), zorder=6, gid="arrow",
                              arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": points(1.0), "shrinkA": 0,
                                          "shrinkB": 0, "mutation_scale": points(9)})
        _legend(axes)
        if snapshots is not None:
            _write_holdings(figure, axes, holds, snapshots)
        axes.set_xlabel(f"time ({unit})")
        axes.set_title(heading, pad=points(10) + 1.6 * type_pt(8.5))          # above the legend's row
    note = told(this, len(steps), names)
    if len(this.before) > _HIDE:
        note += f" Of the {len(this.before):,} earlier messages the latest {_HIDE:,} are drawn."
    return Picture(figure, heading, _twin(trace, this, names, holds, snapshots is not None, note))


def _legend(axes) -> None:
    handles = [Patch(facecolor=face, edgecolor=SOFT if edge in ("none", "same") else edge, linestyle=line,
                     alpha=max(opacity, 0.4), label=name) for name, (face, edge, opacity, line) in _DRAWN.items()]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2,
                columnspacing=1.2, handlelength=1.4, labelcolor=INK, fontsize=type_pt(8.5))


def _write_holdings(figure, axes, holds, snapshots) -> None:
    """To the right of each lane, in room that is as wide for every step: the picture must not jump while it plays."""
    longest = max((len(str(text)) for diary in snapshots for _, text in diary), default=0)
    size = type_pt(8.5)
    room = min((0.62 * size * longest + 20) / 72 / figure.get_figwidth(), 0.5)
    figure.get_layout_engine().set(rect=(0, 0, 1 - room, 1))
    for text, place, coords, align in [("holds", 1.0, "axes fraction", "bottom"),
                                       *((text, rank, ("axes fraction", "data"), "center")
                                         for rank, text in enumerate(holds))]:
        axes.annotate(text, (1.0, place), xycoords=coords, xytext=(points(8), 0), textcoords="offset points", va=align,
                      fontsize=size, color=SOFT if align == "bottom" else INK, annotation_clip=False,
                      ).set_in_layout(False)


def _twin(trace, this: Step, names, holds, with_holds: bool, note: str) -> Table:
    rows = []
    for rank in range(trace.world_size):
        sends = "; ".join(f"{e.what}, {sized(e.payload_bytes)}, to {names[e.dst]}" for e in this.arrived
                          if e.src == rank)
        receives = "; ".join(f"{e.what}, {sized(e.payload_bytes)}, from {names[e.src]}" for e in this.arrived
                             if e.dst == rank)
        rows.append([names[rank], sends or "–", receives or "–", *([holds[rank] or "–"] if with_holds else [])])
    return Table(["", "sends", "receives", *(["holds"] if with_holds else [])], rows, note)
