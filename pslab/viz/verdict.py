"""Hybrid against both baselines: what `pslab bench verdict` measured, with the model's line from K = 2 to 64.

    left     bytes a step through the busiest port, per direction, over K: line the model, marks the ledger
    right    samples a second over the table's rows, at the largest K that was run: marks measured, line the model
"""

from __future__ import annotations

from collections.abc import Mapping

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, bytes_unit, number, points, styled, type_pt


def verdict_bench(figures: Mapping) -> Picture:
    """The picture of the figures of `pslab bench verdict` (its JSON file, or what it measured)."""
    ran = [point for point in figures["points"] if "step_s" in point]
    if not ran:
        raise ValueError("figures['points'] holds no job that was run")
    sizes = sorted({point["rows"] for point in figures["points"]})
    most_rows, most_K = max(point["rows"] for point in ran), max(point["K"] for point in ran)
    setting, strategies = figures["setting"], ("allreduce", "server", "hybrid")
    ports = f"{setting['gbit_s']:g} Gbit/s" if setting["gbit_s"] else "free ports"
    title = (f"S = {setting['servers']}, D = {setting['dim']}, batch {setting['batch']} a worker, {ports}: "
             f"lines modelled, marks measured")
    unit_bytes, unit = bytes_unit(max(point["model"]["busiest_bytes"] for point in figures["points"]))
    with styled():
        figure, (left, right) = new_figure(width_in=8.6, height_in=3.7, columns=2)
        for strategy in strategies:
            look = LOOKS[strategy]
            line = [m for m in figures["model"] if m["rows"] == most_rows and m["strategy"] == strategy]
            left.plot([m["K"] for m in line], [m["busiest_bytes"] / unit_bytes for m in line], color=look.color)
            marks = [p for p in ran if p["rows"] == most_rows and p["strategy"] == strategy and p["busiest_bytes"]]
            left.plot([p["K"] for p in marks], [p["busiest_bytes"] / unit_bytes for p in marks], look.marker,
                      color=look.color, markersize=points(7), label=strategy)
            by_rows = [p for p in figures["points"] if p["K"] == most_K and p["strategy"] == strategy]
            right.plot([p["rows"] for p in by_rows], [p["model"]["samples_per_s"] for p in by_rows], color=look.color)
            marks = [p for p in by_rows if "step_s" in p]
            right.plot([p["rows"] for p in marks], [p["samples_per_s"] for p in marks], look.marker, color=look.color,
                       markersize=points(7), label=strategy)
        for axes, base in ((left, 2), (right, 10)):
            axes.set_xscale("log", base=base)
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: number(value))
            axes.yaxis.set_major_formatter(lambda value, _: number(value))
        if len(sizes) == 1:
            right.set_xlim(sizes[0] / 3, sizes[0] * 3)
        left.set_xlabel("workers K (count)")
        left.set_ylabel(f"busiest port a step ({unit})")
        left.set_title(f"{most_rows:,} rows", fontsize=type_pt(9.5))
        right.set_xlabel("rows of the table (count)")
        right.set_ylabel("throughput (samples a second)")
        right.set_title(f"K = {most_K}", fontsize=type_pt(9.5))
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, labelcolor=INK)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10))
    rows = []
    for point in figures["points"]:
        model, did = point["model"], "step_s" in point
        rows.append([point["rows"], point["K"], point["strategy"],
                     round(point["busiest_bytes"]) if did else point["not_run"], model["busiest_bytes"],
                     number(1e3 * point["step_s"]) if did else "-", number(1e3 * model["seconds"]),
                     point["state_bytes"]["worker"] if did else "-", f"{point['losses'][-1]:.4f}" if did else "-"])
    return Picture(figure, title, Table(["rows", "K", "strategy", "busiest port (B)", "modelled (B)", "step (ms)",
                                         "modelled (ms)", "state of a worker (B)", "last loss"], rows))
