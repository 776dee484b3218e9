"""The picture of the algorithms benchmark: time over size, a panel for each K, and where auto switches.

    time │   ╱ ring           each algorithm a line with its own marker, auto as open circles on top; a dotted line
         │ ─╱── tree          and a name where auto goes over to another one
         └──┊───── bytes      both axes logarithmic
"""

from __future__ import annotations

from bench_common import size_text

LOOKS = {"ring": "allreduce", "chunked_ring": "sky", "binomial": "gather", "halving_doubling": "server",
         "recursive_doubling": "hybrid", "hierarchical": "amber"}
NAMES = {"ring": "ring", "chunked_ring": "chunked ring", "binomial": "binomial tree",
         "halving_doubling": "halving–doubling", "recursive_doubling": "recursive doubling",
         "hierarchical": "hierarchical, pairs"}


def picture(figures: dict):
    """A pslab.viz.Picture of `figures`, as `benchmarks/algorithms.py` writes them."""
    from pslab import viz

    worlds = figures["worlds"]
    title = "All-reduce on this machine: every algorithm, and what auto takes"
    with viz.styled():
        figure, panels = viz.new_figure(width_in=3.6 * len(worlds) + 0.6, height_in=4.2, columns=len(worlds),
                                        sharey=True, squeeze=False)
        for axes, world in zip(panels[0], worlds):
            draw(axes, world)
        panels[0][0].set_ylabel("time of a call (ms)")
        panels[0][0].set_ylim(top=panels[0][0].get_ylim()[1] * 30)       # room for the names
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    rows = [[world["world_size"], size_text(row["size_bytes"]), *(row[name]["median_s"] * 1e3 for name in LOOKS),
             row["auto"]["median_s"] * 1e3, NAMES[row["chosen"]]] for world in worlds for row in world["results"]]
    columns = ["K", "size", *(f"{name} (ms)" for name in NAMES.values()), "auto (ms)", "auto takes"]
    return viz.Picture(figure, title, viz.Table(columns, rows))


def draw(axes, world: dict) -> None:
    """One panel."""
    from pslab import viz

    sizes = [row["size_bytes"] for row in world["results"]]
    for name, look in LOOKS.items():
        drawn = viz.look_of(look)
        axes.plot(sizes, [row[name]["median_s"] * 1e3 for row in world["results"]], color=drawn.color,
                  marker=drawn.marker, label=NAMES[name])
    axes.plot(sizes, [row["auto"]["median_s"] * 1e3 for row in world["results"]], color=viz.look_of("ink").color,
              linestyle="none", marker="o", markersize=11, fillstyle="none", label="auto")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes[::2], [size_text(size).removesuffix("B").replace(" ", "") for size in sizes[::2]])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda value, _: viz.number(float(value)))
    for i, (size, name) in enumerate(world["switches"]):
        if i:
            axes.axvline(size, color=viz.look_of("other").color, linestyle=":", linewidth=1)
        axes.annotate(NAMES[name], (size, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -3), rotation=90,
                      textcoords="offset points", va="top", color=viz.look_of(LOOKS[name]).color,
                      fontsize=viz.type_pt(8))
    axes.set_xlabel("size of the tensor (bytes)")
    axes.set_title(f"K = {world['world_size']}")
