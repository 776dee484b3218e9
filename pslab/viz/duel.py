"""The chapter's main trade-off on two axes, and the controls that move it: K workers, S servers, overlap.

    left    bytes through the busiest port, per direction, for K = 2 ... 64: ring and servers
    right   seconds of the step for the K that is chosen, from the same bytes and a port's bandwidth
"""

from __future__ import annotations

import html
from collections.abc import Callable

from pslab import cost

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, bytes_unit, number, points, seconds_unit, styled, type_pt

K_MAX = 64


def busiest_link(K: int = 8, S: int = 1, overlap: float = 0.0, *, elements: int = 50_000_000, itemsize: int = 4,
                 alpha_s: float = 20e-6, bandwidth_Bps: float = 12.5e9) -> Picture:
    """Ring all-reduce against S parameter servers for a dense step of `elements` numbers, as `pslab.cost` counts them.

    overlap: the share of the push that runs beside the next pull (changes seconds, never bytes).
    alpha_s, bandwidth_Bps: of every port, each direction.
    """
    numbers = duel(K, S, overlap, elements=elements, itemsize=itemsize, alpha_s=alpha_s, bandwidth_Bps=bandwidth_Bps)
    ks = range(2, K_MAX + 1)
    lines = {"allreduce": [cost.ring_all_reduce(elements, k, itemsize).busiest for k in ks],
             "server": [cost.parameter_server(elements, k, S, itemsize).busiest for k in ks]}
    # the axes of all S and overlap are the same, so that a moved slider moves the lines and not the scale
    unit_bytes, unit = bytes_unit(elements * itemsize * K_MAX)
    title = f"K = {K} workers, S = {S} server{'s' * (S > 1)}, overlap {overlap:.0%}"
    with styled():
        figure, (left, right) = new_figure(height_in=3.5, columns=2, width_ratios=[3, 2])
        for name, values in lines.items():
            look, label = LOOKS[name], "ring all-reduce" if name == "allreduce" else f"{S} server{'s' * (S > 1)}"
            left.plot(ks, [v / unit_bytes for v in values], color=look.color, marker=look.marker, markersize=points(9),
                      markevery=[K - 2], label=label)
        left.axvline(K, color=SOFT, linestyle=":", linewidth=points(1.2))
        left.set_yscale("log")
        left.set_xscale("log", base=2)
        left.set_ylim(elements * itemsize / unit_bytes / 4, elements * itemsize / unit_bytes * K_MAX * 1.2)
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_formatter(lambda value, _: number(value))
        left.set_xlabel("workers K (count)")
        left.set_ylabel(f"busiest port, per direction ({unit})")
        # its white ground keeps the dotted line off the words
        left.legend(loc="upper left", labelcolor=INK, frameon=True, framealpha=1, edgecolor="none")
        _times(right, numbers)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    rows = [[name, numbers[key]["bytes"], number(numbers[key]["seconds"] * 1e3, 4)]
            for name, key in (("ring all-reduce", "allreduce"), (f"{S} server{'s' * (S > 1)}", "server"))]
    return Picture(figure, title, Table(["", "busiest port, per direction (bytes)", "step (ms)"], rows))


def duel(K: int, S: int, overlap: float, *, elements: int, itemsize: int, alpha_s: float, bandwidth_Bps: float) -> dict:
    """{'allreduce' and 'server': {'bytes': busiest port per direction, 'seconds': of the step}}."""
    if not 2 <= K <= K_MAX:
        raise ValueError(f"K={K}; the picture shows 2 to {K_MAX} workers")
    ring = cost.ring_all_reduce(elements, K, itemsize)
    server_s = cost.server_step_s(elements, K, S, alpha_s, bandwidth_Bps, overlap, itemsize)
    return {"allreduce": {"bytes": ring.busiest, "seconds": ring.seconds(alpha_s, bandwidth_Bps)},
            "server": {"bytes": cost.parameter_server(elements, K, S, itemsize).busiest, "seconds": server_s}}


def busiest_link_widget(**settings):
    """Sliders for K, S and overlap over `busiest_link`'s picture, and the same numbers in a sentence below.

    settings: elements, itemsize, alpha_s, bandwidth_Bps, as for `busiest_link`.
    """
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    sliders = {
        "K": ipywidgets.IntSlider(value=8, min=2, max=K_MAX, description="workers K", continuous_update=False),
        "S": ipywidgets.IntSlider(value=1, min=1, max=K_MAX, description="servers S", continuous_update=False),
        "overlap": ipywidgets.FloatSlider(value=0.0, min=0.0, max=1.0, step=0.05, description="overlap",
                                          readout_format=".0%", continuous_update=False),
    }
    return redrawn(lambda **values: busiest_link(**values, **settings), sliders)


def redrawn(draw: Callable[..., Picture], sliders: dict):
    """A box of `sliders` (argument name -> control) over an image that is drawn anew when one of them moves."""
    import ipywidgets

    from .live import Live

    image = ipywidgets.Image(format="png", layout={"max_width": "100%", "align_self": "flex-start"})
    words = ipywidgets.HTML()

    def redraw(_=None):
        picture = draw(**{name: slider.value for name, slider in sliders.items()})
        image.value, box.picture = picture.png(), picture
        words.value = f"<p style='margin:0'>{html.escape(picture.title)}</p>{picture.table._repr_html_()}"

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    box = Live([*sliders.values(), image, words])
    redraw()
    return box


def _times(axes, numbers) -> None:
    times = [numbers[name]["seconds"] for name in ("allreduce", "server")]
    unit_s, unit = seconds_unit(max(times))
    for i, name in enumerate(("allreduce", "server")):
        look = LOOKS[name]
        drawn = axes.bar([i], [times[i] / unit_s], 0.6, color=look.color, hatch=look.hatch)
        axes.bar_label(drawn, [number(times[i] / unit_s)], padding=points(3), fontsize=type_pt(9))
    axes.set_xticks([0, 1], ["ring", "server"])
    axes.margins(y=0.15)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(f"time of the step ({unit}), modelled")
