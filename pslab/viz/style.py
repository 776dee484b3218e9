"""One style for every picture: few lines, no frame, colours that colour-blind readers tell apart, units on axes.

    all-reduce  blue  ●      server  vermilion  ■      hybrid  green  ▲      gather  wine  ◆      other  grey  ×

Colours are those of Okabe and Ito (2008, "Color universal design"), the wine is from Paul Tol's sets. A colour
is never the only carrier of a meaning:
each comes with a marker and a hatch of its own, and lines are named where they end.

The style has two sizes: `quiet` for a page, and `stage` for the wall of a room: type of 18 points and more, every
picture 1280 × 720 pixels. `viz.style("stage")`, or PSLAB_STYLE=stage in the environment.
"""

from __future__ import annotations

import os
import re
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


STAGE_PX = (1280, 720)
STAGE_PT = 18.0             # the smallest type on a stage
_GROWTH = STAGE_PT / RC["font.size"]
STYLES = {
    "quiet": RC,
    "stage": {**RC, "figure.dpi": 100, "savefig.dpi": 100, "font.size": STAGE_PT, "axes.titlesize": 22,
              "figure.titlesize": 22, "axes.titlepad": 14, "lines.linewidth": 3.8, "lines.markersize": 10,
              "axes.linewidth": 1.5, "grid.linewidth": 1.2, "xtick.major.width": 1.5, "ytick.major.width": 1.5,
              "hatch.linewidth": 1.1,
              "figure.constrained_layout.w_pad": 0.15, "figure.constrained_layout.h_pad": 0.15},
}
_chosen: str | None = None  # by style(); until then the environment decides


def style(name: str | None = None) -> None:
    """From here on, pictures in this style, 'quiet' or 'stage', and your own matplotlib figures in the same.

    None: the one that PSLAB_STYLE names, else quiet. Without any call, the kit's pictures follow PSLAB_STYLE.
    """
    global _chosen
    _chosen = _known("name", name) if name is not None else None
    matplotlib.rcParams.update(STYLES[style_name()])


def style_name() -> str:
    """The style that pictures drawn now have."""
    return _chosen or _known("PSLAB_STYLE", os.environ.get("PSLAB_STYLE") or "quiet")


def styled() -> AbstractContextManager:
    """The style inside a `with` block, and nothing changed after it."""
    return matplotlib.rc_context(STYLES[style_name()])


def points(quiet: float) -> float:
    """A distance or a width of the quiet style, in points, as large as the style of now asks for."""
    return quiet * (_GROWTH if style_name() == "stage" else 1.0)


def type_pt(quiet: float) -> float:
    """A type size of the quiet style, in points, as large as the style of now asks for."""
    return max(STAGE_PT, points(quiet)) if style_name() == "stage" else quiet


def with_unit(argument: str, label: str) -> str:
    """The label of an axis, which must hold a unit: 'bytes (MB)', 'workers K (count)', 'AUC (no unit)'."""
    if not re.search(r"\S \([^()]+\)", label):
        raise ValueError(f"{argument}={label!r} has no unit; write it in brackets, as in 'time (ms)', "
                         "'workers K (count)' or 'AUC (no unit)'")
    return label


def _known(argument: str, name: str) -> str:
    if name not in STYLES:
        raise ValueError(f"{argument}={name!r}; allowed: {', '.join(map(repr, STYLES))}")
    return name


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
