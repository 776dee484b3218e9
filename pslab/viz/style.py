"""One quiet style for every picture: few lines, no frame, colours that colour-blind readers tell apart, units on axes.

    all-reduce  blue  ●      server  vermilion  ■      hybrid  green  ▲      gather  wine  ◆      other  grey  ×

Colours are those of Okabe and Ito (2008, "Color universal design"), the wine is from Paul Tol's sets. A colour
is never the only carrier of a meaning:
each comes with a marker and a hatch of its own, and lines are named where they end.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from math import floor, log10
from typing import NamedTuple

import matplotlib

INK, SOFT, FAINT, PAPER = "#333333", "#767676", "#dddddd", "#ffffff"


class Look(NamedTuple):
    """How one thing is drawn, in every picture alike."""

    color: str
    marker: str
    hatch: str


LOOKS = {
    "allreduce": Look("#0072b2", "o", ""),
    "server": Look("#d55e00", "s", "///"),
    "hybrid": Look("#009e73", "^", "..."),
    "gather": Look("#882255", "D", "\\\\\\"),
    "other": Look(SOFT, "x", "xxx"),
    "sky": Look("#56b4e9", "v", "---"),
    "amber": Look("#e69f00", "P", "+++"),
    "ink": Look(INK, "*", "ooo"),
}

RC = {
    "figure.dpi": 110, "savefig.dpi": 110, "figure.facecolor": PAPER, "savefig.facecolor": PAPER,
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK,
    "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "axes.labelcolor": INK, "axes.edgecolor": SOFT, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True, "grid.color": FAINT, "grid.linewidth": 0.7,
    "axes.prop_cycle": matplotlib.cycler(color=[look.color for look in LOOKS.values()]),
    "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "xtick.major.width": 0.8, "ytick.major.width": 0.8,
    "lines.linewidth": 2.0, "lines.markersize": 5, "legend.frameon": False,
    "hatch.linewidth": 0.6, "hatch.color": PAPER,
    "svg.hashsalt": "pslab",
}


def style() -> None:
    """Use the house style for your own matplotlib figures from here on; the kit's pictures always have it."""
    matplotlib.rcParams.update(RC)


def styled() -> AbstractContextManager:
    """The house style inside a `with` block, and nothing changed after it."""
    return matplotlib.rc_context(RC)


def look_of(name: str, index: int = 0) -> Look:
    """The look of a known thing by its name, of anything else by its place in a series."""
    return LOOKS.get(name) or list(LOOKS.values())[index % len(LOOKS)]


def bytes_unit(largest: float) -> tuple[float, str]:
    """(bytes per unit, unit) that makes `largest` a number between 1 and 1000: B, kB, MB, GB, TB, in powers of 1000."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if largest >= size:
            return size, unit
    return 1.0, "B"


def seconds_unit(largest: float) -> tuple[float, str]:
    """(seconds per unit, unit): s, ms, µs or ns."""
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if largest >= size:
            return size, unit
    return 1e-9, "ns"


def number(value: float, digits: int = 3) -> str:
    """A number for people: thousands apart, `digits` significant, no exponent between 0.001 and a million million."""
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0 or not 1e-3 <= abs(value) < 1e12:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(digits - 1 - floor(log10(abs(value))), 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sized(payload_bytes: float, digits: int = 3) -> str:
    """Bytes with a fitting unit: `sized(33_554_432)` is '33.6 MB'."""
    size, unit = bytes_unit(abs(payload_bytes))
    return f"{number(float(payload_bytes / size), digits)} {unit}"
