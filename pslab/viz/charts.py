"""Bars and curves with units on their axes, names beside the lines, numbers on the bars, and a table as twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import LogFormatterSciNotation

from .picture import Picture, Table, new_figure
from .style import INK, SOFT, look_of, number, points, styled, type_pt, with_unit


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str, title: str,
         quantity: str = "bytes", looks: Mapping[str, str] | None = None, log: bool = False) -> Picture:
    """Grouped horizontal bars: one group per label, one bar per entry of `series`, the number at its end.

    unit: of every number ('MB'); quantity: what is measured, for the axis. looks: series name -> name of a look
    (allreduce, server, hybrid, gather, ...); with one series, label -> name of a look. log: a logarithmic axis, and its
    label says so.
    """
    _check_lengths("series", series, "labels", len(labels))
    label_x = with_unit("unit", f"{quantity} ({unit})")
    looks, thick = looks or {}, 0.8 / len(series)
    with styled():
        figure, axes = new_figure(height_in=0.9 + 0.3 * len(labels) * (len(series) + 0.6))
        for i, (name, values) in enumerate(series.items()):
            look = look_of(looks.get(name, name), i)
            places = [group + (i - (len(series) - 1) / 2) * thick for group in range(len(labels))]
            each = [look_of(looks[label]) if label in looks else look for label in labels]
            drawn = axes.barh(places, values, thick * 0.9, color=[one.color for one in each],
                              hatch=[one.hatch for one in each], label=name)
            axes.bar_label(drawn, [f"{number(float(v))}" for v in values], padding=points(4), color=INK,
                           fontsize=type_pt(8.5))
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
        if log:
            axes.set_xscale("log")
            _plain_ticks(axes.xaxis)
        axes.set_xlabel(label_x + (", logarithmic" if log else ""))
        axes.set_title(title)
        if len(series) > 1:
            axes.legend(loc="best")
    rows = [[label, *(values[i] for values in series.values())] for i, label in enumerate(labels)]
    return Picture(figure, title, Table(["", *(f"{name} ({unit})" for name in series)], rows))


def curve(x: Sequence[float], series: Mapping[str, Sequence[float]], *, xlabel: str, ylabel: str, title: str,
          looks: Mapping[str, str] | None = None, log: str = "", mark: tuple[float, str] | None = None,
          rows: int = 8) -> Picture:
    """Lines over x, each named where it ends. Labels carry the unit in brackets: 'bytes per step (MB)'.

    log: '', 'x', 'y' or 'xy'. mark: (x, text), a dotted vertical line. rows: how many x the table twin lists.
    """
    _check_lengths("series", series, "x", len(x))
    if log not in ("", "x", "y", "xy"):
        raise ValueError(f"log={log!r}; allowed: '', 'x', 'y', 'xy'")
    with_unit("xlabel", xlabel), with_unit("ylabel", ylabel)
    looks = looks or {}
    with styled():
        figure, axes = new_figure()
        for i, (name, values) in enumerate(series.items()):
            look = look_of(looks.get(name, name), i)
            few = max(len(x) // 8, 1)
            axes.plot(x, values, color=look.color, marker=look.marker, markevery=few, label=name)
        if "x" in log:
            axes.set_xscale("log", base=2 if x[-1] <= 1024 * x[0] else 10)
            axes.xaxis.set_major_formatter(lambda value, _: _plain(value))
        if "y" in log:
            axes.set_yscale("log")
            _plain_ticks(axes.yaxis)
        else:
            axes.set_ylim(bottom=0)
        if mark:
            axes.axvline(mark[0], color=SOFT, linestyle=":", linewidth=points(1.2))
            axes.annotate(mark[1], (mark[0], 1.0), xycoords=("data", "axes fraction"), xytext=(points(4), points(-4)),
                          textcoords="offset points", va="top", color=SOFT, fontsize=type_pt(8.5))
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        _name_ends(axes, x, series, looks)
    return Picture(figure, title, _sampled(x, series, xlabel, ylabel, rows))


def score_against_bytes(results: Mapping[str, Sequence], *, xlabel: str = "sent by a worker (MB)",
                        ylabel: str = "accuracy (%)", title: str = "What the bytes buy",
                        looks: Mapping[str, str] | None = None) -> Picture:
    """One mark a method, at (bytes, score); its way there as a line, if it has several points.

    results: name -> (x, y), or [(x, y), ...] in the order of training. The x axis is logarithmic. The twin lists each
    method's last point, and its bytes over the fewest.
    """
    with_unit("xlabel", xlabel), with_unit("ylabel", ylabel)
    ways = {name: [tuple(way)] if isinstance(way[0], (int, float)) else [tuple(point) for point in way]
            for name, way in results.items()}
    if not ways or not all(len(point) == 2 and point[0] > 0 for way in ways.values() for point in way):
        raise ValueError(f"results={results!r}; for each method (x, y) with x above 0, or several of them")
    looks = looks or {}
    ends = {name: way[-1] for name, way in ways.items()}
    with styled():
        figure, axes = new_figure()
        for i, (name, way) in enumerate(ways.items()):
            look = look_of(looks.get(name, name), i)
            axes.plot(*zip(*way), color=look.color, linewidth=points(1.2), alpha=0.6)
            axes.plot(*ends[name], look.marker, color=look.color, markersize=points(9), zorder=4, label=name,
                      markeredgewidth=points(1.5))
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
        axes.margins(0.08)
        axes.grid(axis="x")
        axes.set_xlabel(f"{xlabel}, logarithmic")
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, labelcolor=INK)
    fewest = min(x for x, _ in ends.values())
    rows = [[name, x, y, f"{x / fewest:.3g}"] for name, (x, y) in ends.items()]
    return Picture(figure, title, Table(["", xlabel, ylabel, "bytes over the fewest (×)"], rows))


def _name_ends(axes, x, series, looks) -> None:
    """Each line's name to the right of its last point, pushed apart where two ends meet."""
    axes.figure.draw_without_rendering()
    to_pixels = axes.transData.transform
    ends = sorted((to_pixels((x[-1], values[-1]))[1], i, name) for i, (name, values) in enumerate(series.items()))
    last_y = float("-inf")
    for y, i, name in ends:
        place = max(y, last_y + 1.24 * type_pt(9) * axes.figure.dpi / 72)
        last_y = place
        shift_points = (place - y) * 72 / axes.figure.dpi
        axes.annotate(name, (x[-1], series[name][-1]), xytext=(points(8), shift_points), textcoords="offset points",
                      va="center", color=look_of(looks.get(name, name), i).color, fontsize=type_pt(9),
                      annotation_clip=False)


def _sampled(x, series, xlabel, ylabel, rows) -> Table:
    """At most `rows` of the points, first and last among them."""
    last = len(x) - 1
    chosen = sorted({round(i * last / max(rows - 1, 1)) for i in range(rows)}) if last >= rows else range(len(x))
    return Table([xlabel, *series], [[x[i], *(values[i] for values in series.values())] for i in chosen], note=ylabel)


def _check_lengths(argument, series, other, length) -> None:
    if not series or not length:
        raise ValueError(f"{argument} and {other} must not be empty")
    for name, values in series.items():
        if len(values) != length:
            raise ValueError(f"{argument}[{name!r}] has {len(values)} entries; {other} has {length}")


def _plain(value: float) -> str:
    """1,000 and 0.00001 at a tick, where others write 10³ and 1e-05."""
    if value >= 1e-3:
        return number(float(value))
    return np.format_float_positional(value, 6, fractional=False, trim="-")


def _plain_ticks(axis) -> None:
    """Plain numbers at the ticks of a logarithmic axis; matplotlib chooses which ticks between the powers have one."""
    class Plain(LogFormatterSciNotation):
        def __call__(self, value, pos=None):
            return _plain(value) if super().__call__(value, pos) else ""

    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain(labelOnlyBase=False, minor_thresholds=(1, 0.4)))
