"""Which rows of a table a batch touches, and what they weigh on the wire: expected under a Zipf, with controls.

    left     distinct rows for every hundred look-ups, over the look-ups of a batch: fewer where ids repeat
    right    one way, in bytes: the whole table (a dense gradient), a row for each look-up, each row once

A row that a look-up asks for with probability p is touched by a batch of n with 1 − (1 − p)^n. Look-ups are taken as
independent; real streams are not (touched_streams.py).
"""

from __future__ import annotations

from pslab import cost

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, bytes_unit, number, points, sized, styled, type_pt

LOOKUPS = tuple(2**k for k in range(4, 17))
_LISTED = 1 << 14           # of a law, for the speed of a slider
_KEY_BYTES = 8


def touched_rows(exponent: float = 1.0, rows: int = 100_000, lookups: int = 4096, dim: int = 64) -> dict[str, float]:
    """What a batch of `lookups` ids of a Zipf over `rows` rows of `dim` float32 numbers is expected to do.

    {"distinct", "of lookups", "of the table": rows and shares; "dense", "naive", "once": bytes one way: the table, an
    id of 8 bytes and a row for each look-up, the same for each distinct id}. exponent 0: all rows equally likely.
    """
    distinct = cost.zipf_popularity(exponent, rows, _LISTED).expected_unique(lookups)
    row_bytes = 4 * dim + _KEY_BYTES
    return {"distinct": distinct, "of lookups": distinct / lookups if lookups else 0.0, "of the table": distinct / rows,
            "dense": 4.0 * dim * rows, "naive": float(lookups * row_bytes), "once": distinct * row_bytes}


def touched(exponent: float = 1.0, rows: int = 100_000, lookups: int = 4096, dim: int = 64) -> Picture:
    """The picture of `touched_rows`; its twin lists the chosen law beside equally likely rows."""
    found, even = touched_rows(exponent, rows, lookups, dim), touched_rows(0, rows, lookups, dim)
    title = (f"{lookups:,} look-ups, Zipf({exponent:g}) over {rows:,} rows: {number(found['distinct'])} distinct, "
             f"{sized(found['once'])}")
    lines = {"all rows equally likely": ("sky", 0.0), f"Zipf({exponent:g})": ("server", exponent)}
    size, unit = bytes_unit(found["naive"])
    with styled():
        figure, (left, right) = new_figure(height_in=3.6, columns=2, width_ratios=[3, 2])
        for name, (look, law) in lines.items():
            shares = [100 * touched_rows(law, rows, n, dim)["of lookups"] for n in LOOKUPS]
            left.plot(LOOKUPS, shares, color=LOOKS[look].color, marker=LOOKS[look].marker, label=name)
        left.plot([lookups], [100 * found["of lookups"]], "o", markersize=points(13), markerfacecolor="none",
                  markeredgecolor=INK, markeredgewidth=points(1.6), zorder=5)
        left.set_xscale("log", base=2)
        left.set_xticks(LOOKUPS[::4], [f"{n:,}" for n in LOOKUPS[::4]])
        left.set_ylim(0, 105)
        left.minorticks_off()
        left.set_xlabel("look-ups of a batch (count)")
        left.set_ylabel("distinct rows of the look-ups (%)")
        left.legend(loc="lower left", labelcolor=INK, fontsize=type_pt(8.5))
        for i, (key, look) in enumerate((("naive", "other"), ("once", "server"))):
            drawn = right.bar([i], [found[key] / size], 0.6, color=LOOKS[look].color, hatch=LOOKS[look].hatch)
            right.bar_label(drawn, [number(found[key] / size)], padding=points(3), fontsize=type_pt(9))
        right.set_ylim(0, 1.15 * found["naive"] / size)
        right.set_xticks(range(2), ["a row for\neach look-up", "each row\nonce"])
        right.tick_params(axis="x", length=0)
        right.set_ylabel(f"ids and rows, one way ({unit})")
        right.set_title(f"the whole table: {sized(found['dense'])}", fontsize=type_pt(9), fontweight="normal")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10))
    rows_of = [[name, each["distinct"], f"{each['of lookups']:.1%}", f"{each['of the table']:.4%}",
                sized(each["naive"]), sized(each["once"])]
               for name, each in ((f"Zipf({exponent:g})", found), ("all rows equally likely", even))]
    return Picture(figure, title, Table(["law", "distinct rows", "of the look-ups", "of the table",
                                         "a row for each look-up", "each row once"], rows_of,
                                        note=f"the whole table: {sized(found['dense'])}"))


def touched_widget():
    """Controls for the exponent, rows, look-ups and the rows' width over `touched`'s picture."""
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    wide = {"description_width": "initial"}
    return redrawn(touched, {
        "exponent": ipywidgets.FloatSlider(value=1.0, min=0.0, max=1.6, step=0.1, description="Zipf exponent",
                                           style=wide, continuous_update=False),
        "rows": ipywidgets.SelectionSlider(options=[(f"{n:,}", n) for n in (10_000, 100_000, 1_000_000, 10_000_000,
                                                                            2_000_000_000)],
                                           value=100_000, description="rows", style=wide, continuous_update=False),
        "lookups": ipywidgets.SelectionSlider(options=[(f"{n:,}", n) for n in LOOKUPS], value=4096, style=wide,
                                              description="look-ups", continuous_update=False),
        "dim": ipywidgets.SelectionSlider(options=[8, 16, 32, 64, 128, 256], value=64, description="numbers a row",
                                          style=wide, continuous_update=False),
    })
