"""Capacity, exponent, de-duplication and consistency: what each does to the bytes of a step, as `pslab.cost` counts.

    left     rows to the workers (MB a step) over the capacity of the cache: four designs, the chosen one marked
    right    the chosen one: rows there, gradients back, beside one row a lookup

Sizes are those of code 11.7.1: 16 workers, 65,536 samples of 40 lookups, rows of 128 floats, two billion of them.
"""

from __future__ import annotations

from pslab import cost

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, number, points, styled, type_pt

ROWS = 2_000_000_000
CHAPTER = "chapter"
CAPACITIES = (0, 100, 1000, 5000, 20_000, 100_000, 1_000_000, 10_000_000)
CONSISTENCIES = {"exact": "bsp", "SSP(1)": 1, "SSP(4)": 4, "SSP(16)": 16, "any age": "stale"}
_LISTED = 1 << 14           # of a law, for the speed of a slider


def terabyte_bytes(capacity: int = 5000, exponent: float | str = CHAPTER, dedup: bool = False,
                   consistency: str | float = "stale") -> dict[str, float]:
    """MB a step of the chapter's 16 workers: {'rows', 'gradients', 'naive'}, and {'hit rate', 'unique hit rate'}.

    exponent: of a Zipf over all two billion rows, or "chapter": what code 11.7.1 draws. consistency: "bsp", "stale", or
    the s of SSP(s). hit rate: the h for which (1 − h)·B·L·D·b is right.
    """
    step = cost.chapter_step(capacity, dedup, consistency, popularity=_law(exponent))
    return {"rows": step.fetch_bytes / 1e6, "gradients": step.push_bytes / 1e6,
            "naive": step.lookups * step.row_bytes / 1e6, "hit rate": step.hit_rate,
            "unique hit rate": step.unique_hit_rate}


def terabyte(capacity: int = 5000, exponent: float | str = CHAPTER, dedup: bool = False,
             consistency: str | float = "stale") -> Picture:
    """The picture of `terabyte_bytes`; its twin lists the four designs at this capacity."""
    found = terabyte_bytes(capacity, exponent, dedup, consistency)
    law = "the chapter's draws" if exponent == CHAPTER else f"Zipf({exponent:g})"
    title = (f"{law}, {capacity:,} rows cached, {'equal ids once' if dedup else 'every lookup'}, {_told(consistency)}: "
             f"{number(found['rows'])} MB")
    lines = {"every lookup, any age": (False, "stale", "other"), "every lookup, exact": (False, "bsp", "gather"),
             "equal ids once, any age": (True, "stale", "allreduce"), "equal ids once, exact": (True, "bsp", "server")}
    places = [max(c, 10) for c in CAPACITIES]
    with styled():
        figure, (left, right) = new_figure(height_in=3.7, columns=2, width_ratios=[3, 2])
        for name, (once, age, look) in lines.items():
            values = [terabyte_bytes(c, exponent, once, age)["rows"] for c in CAPACITIES]
            left.plot(places, values, "-" if once else "--", color=LOOKS[look].color, marker=LOOKS[look].marker,
                      label=name)
        left.plot([max(capacity, 10)], [found["rows"]], "o", markersize=points(13), markerfacecolor="none",
                  markeredgecolor=INK, markeredgewidth=points(1.6), zorder=5)
        left.set_xscale("log")
        left.set_xticks([10, 1000, 100_000, 10_000_000], ["0", "1,000", "100,000", "10 million"])
        left.minorticks_off()
        left.set_ylim(0, 1420)
        left.set_xlabel("cache of each worker (rows)")
        left.set_ylabel("rows to the workers (MB a step)")
        left.legend(loc="upper right", labelcolor=INK, frameon=True, framealpha=1, edgecolor="none",
                    fontsize=type_pt(8.5))
        names, values = ["one row\na lookup", "rows", "gradients\nback"], [found["naive"], found["rows"],
                                                                          found["gradients"]]
        for i, (value, look) in enumerate(zip(values, ("other", "server", "sky"))):
            drawn = right.bar([i], [value], 0.6, color=LOOKS[look].color, hatch=LOOKS[look].hatch)
            right.bar_label(drawn, [number(value)], padding=points(3), fontsize=type_pt(9))
        right.axhline(found["naive"], color=SOFT, linestyle=":", linewidth=points(1.2))
        right.set_ylim(0, 1500)
        right.set_xticks(range(3), names)
        right.tick_params(axis="x", length=0)
        right.set_ylabel("one way (MB a step)")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10))
    rows = []
    for name, (once, age, _) in lines.items():
        each = terabyte_bytes(capacity, exponent, once, age)
        rows.append([name, each["rows"], each["gradients"], each["hit rate"], each["unique hit rate"] if once else "-"])
    rows.append(["chosen", found["rows"], found["gradients"], found["hit rate"],
                 found["unique hit rate"] if dedup else "-"])
    return Picture(figure, title, Table([f"{capacity:,} rows cached", "rows (MB)", "gradients (MB)", "hit rate",
                                         "of distinct ids"], rows))


def terabyte_widget():
    """Controls for capacity, exponent, de-duplication and consistency over `terabyte`'s picture."""
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    wide = {"description_width": "initial"}
    return redrawn(terabyte, {
        "capacity": ipywidgets.SelectionSlider(options=[(f"{c:,}", c) for c in CAPACITIES], value=5000, style=wide,
                                               description="cached rows", continuous_update=False),
        "exponent": ipywidgets.SelectionSlider(options=[("the chapter's draws", CHAPTER),
                                                        *((f"{a:g}", a) for a in (0.8, 0.9, 1.0, 1.05, 1.1, 1.2, 1.4))],
                                               value=CHAPTER, description="Zipf exponent", style=wide,
                                               continuous_update=False),
        "dedup": ipywidgets.Checkbox(value=False, description="equal ids travel once"),
        "consistency": ipywidgets.Dropdown(options=list(CONSISTENCIES.items()), value="stale", description="reads of"),
    })


def _law(exponent: float | str):
    if exponent == CHAPTER:
        return cost.chapter_popularity(ROWS)
    if isinstance(exponent, str):
        raise ValueError(f"exponent={exponent!r}; a number from 0, or {CHAPTER!r}, is needed")
    return cost.zipf_popularity(exponent, ROWS, _LISTED)


def _told(consistency: str | float) -> str:
    words = {age: name for name, age in CONSISTENCIES.items()}
    return words.get(consistency, f"SSP({consistency})")
