"""The demo as an image: measured bytes a step on the left, the model's lines for more workers on the right."""

from __future__ import annotations

from collections.abc import Sequence

from pslab.viz import LOOKS, Picture, Table, bytes_unit, new_figure, number, styled, type_pt

from .modelled import WORKERS, Line
from .train import Measured

SOFT, INK = "#767676", "#333333"


def draw(measured: Sequence[Measured], modelled: Sequence[Line], table: Table, note: str,
         virtual: bool = False) -> Picture:
    """Stacked bars (dense, sparse) by strategy, lines over K; `table` is the twin, `note` the small print.

    virtual: times are the simulator's.
    """
    title = "One training step: bytes on the busiest port"
    with styled():
        figure, (left, right) = new_figure(width_in=11.5, height_in=4.0, columns=2, width_ratios=[1, 1])
        _bars(left, measured, "virtual " if virtual else "")
        _lines(right, modelled)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(12))
        figure.supxlabel(note, x=0.01, ha="left", fontsize=type_pt(8), color=SOFT, wrap=True)
    return Picture(figure, title, table)


def _bars(axes, measured: Sequence[Measured], kind: str) -> None:
    size, unit = bytes_unit(max(m.bytes for m in measured))
    for place, m in enumerate(measured):
        look = LOOKS[m.strategy]
        axes.barh(place, m.dense_bytes / size, 0.62, color=look.color, label="dense" if place == 0 else None)
        bar = axes.barh(place, m.sparse_bytes / size, 0.62, left=m.dense_bytes / size, color=look.color, alpha=0.45,
                        hatch="///", label="sparse (rows, keys)" if place == 0 else None)
        axes.bar_label(bar, [number(m.bytes / size)], padding=4, color=INK)
    speeds = ["" if m.samples_per_s is None else f"{m.samples_per_s:,.0f} {kind}samples/s\n" for m in measured]
    axes.set_yticks(range(len(measured)), [f"{m.strategy}\n{speed}AUC {m.test_auc:.3f}"
                                           for m, speed in zip(measured, speeds)])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    axes.margins(x=0.15)
    axes.set_xlabel(f"{unit} a step, busier direction")
    axes.set_title("measured", fontsize=type_pt(10))
    # below the axes: bars may end anywhere
    axes.legend(loc="upper left", bbox_to_anchor=(-0.3, -0.17), ncols=2, borderaxespad=0)


def _lines(axes, modelled: Sequence[Line]) -> None:
    size, unit = bytes_unit(max(max(line.bytes) for line in modelled))
    for line in modelled:
        look = LOOKS[line.strategy]
        axes.plot(WORKERS, [value / size for value in line.bytes], color=look.color, marker=look.marker,
                  linestyle="--" if line.servers is None else "-", label=line.label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(WORKERS, [str(K) for K in WORKERS])
    axes.yaxis.set_major_formatter(lambda value, _: number(value))
    axes.set_xlabel("workers K (count)")
    axes.set_ylabel(f"{unit} a step, logarithmic")
    axes.set_title("modelled", fontsize=type_pt(10))
    # beside the lines
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, fontsize=type_pt(8))
