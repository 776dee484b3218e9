"""Servers and points of a ring against balance and movement, and the controls that move them.

    left    keys of each server under consistent hashing, over the mean; the ratio of the busiest is in the title
    right   share of the keys that get another owner when one server more comes: ring, even ranges, hash modulo S
"""

from __future__ import annotations

import numpy as np

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, styled, type_pt

KEYS = 100_000
S_MAX, POINTS = 64, tuple(2**bit for bit in range(11))
SHOWN = {"ring": ("ring", "hybrid"), "ranges": ("even ranges", "allreduce"), "modulo": ("hash modulo S", "server")}


def sharding(S: int, points_each: int, *, keys: int = KEYS, seed: int = 0) -> dict:
    """{'loads': (S,) keys of each server over the mean, 'moved': {way: share of the keys that S to S + 1 moves}}."""
    from pslab.ps import ConsistentHash, HashPartition, RangePartition, movement_plan

    _check(S, points_each, keys)
    ring = ConsistentHash(points_each, seed)
    ways = {"ring": ring, "ranges": RangePartition(), "modulo": HashPartition(seed)}
    counts = np.bincount(ring.bind(keys, S).owner(np.arange(keys)), minlength=S)
    return {"loads": counts * S / keys,
            "moved": {name: movement_plan(way.bind(keys, S), way.bind(keys, S + 1)).moved_fraction
                      for name, way in ways.items()}}


def shards(S: int = 10, points_each: int = 128, *, keys: int = KEYS, seed: int = 0) -> Picture:
    """Draw `sharding`: how even S servers with so many points each are, and what moves when one more comes."""
    numbers = sharding(S, points_each, keys=keys, seed=seed)
    loads, moved = numbers["loads"], numbers["moved"]
    title = f"{S} servers, {points_each:,} point{'s' * (points_each > 1)} each: the busiest has {loads.max():.2f} " \
            f"times the mean"
    with styled():
        figure, (left, right) = new_figure(height_in=3.4, columns=2, width_ratios=[3, 2])
        ring = LOOKS[SHOWN["ring"][1]]
        left.bar(range(S), loads, 0.75, color=ring.color, hatch=ring.hatch)
        left.axhline(1.0, color=INK, linewidth=points(1.2), linestyle="--")
        # the axis is the same for all points that balance, so that the bars move and not the scale
        left.set_ylim(0, max(2.0, 1.1 * loads.max()))
        left.set_xlabel("server (number)")
        left.set_ylabel("keys (times the mean)")
        left.xaxis.get_major_locator().set_params(integer=True)
        for place, (name, (_, look)) in enumerate(SHOWN.items()):
            drawn = right.barh([place], [100 * moved[name]], 0.6, color=LOOKS[look].color, hatch=LOOKS[look].hatch)
            right.bar_label(drawn, [f"{100 * moved[name]:.1f}"], padding=points(4), fontsize=type_pt(8.5))
        even = 100 / (S + 1)
        right.axvline(even, color=SOFT, linestyle=":", linewidth=points(1.5))
        right.annotate(f"even share {even:.1f}", (even, 1.0), xycoords=("data", "axes fraction"),
                       xytext=(points(4), points(2)), textcoords="offset points", color=SOFT, fontsize=type_pt(8.5))
        right.set_yticks(range(len(SHOWN)), [label for label, _ in SHOWN.values()])
        right.invert_yaxis()
        right.set_xlim(0, 118)
        right.grid(axis="x")
        right.grid(visible=False, axis="y")
        right.tick_params(axis="y", length=0)
        right.set_xlabel(f"moved, {S} → {S + 1} (%)")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    rows = [["busiest server, ring", f"{loads.max():.2f} times the mean"],
            ["least busy server, ring", f"{loads.min():.2f} times the mean"],
            *([f"moved, {label}", f"{100 * moved[name]:.1f} %"] for name, (label, _) in SHOWN.items()),
            ["even share of the new server", f"{even:.1f} %"]]
    return Picture(figure, title, Table(["", f"{S} servers, {points_each:,} points each"], rows))


def shards_widget(**settings):
    """Sliders for servers and points over `shards`' picture. settings: keys, seed."""
    import ipywidgets

    sliders = {
        "S": ipywidgets.IntSlider(value=10, min=1, max=S_MAX, description="servers S", continuous_update=False),
        "points_each": ipywidgets.SelectionSlider(options=POINTS, value=128, description="points each",
                                                  continuous_update=False),
    }
    return redrawn(lambda **values: shards(**values, **settings), sliders)


def _check(S: int, points_each: int, keys: int) -> None:
    if isinstance(S, bool) or not isinstance(S, int) or not 1 <= S <= S_MAX:
        raise ValueError(f"S={S!r}; the picture shows 1 to {S_MAX} servers")
    if isinstance(points_each, bool) or not isinstance(points_each, int) or not 1 <= points_each <= POINTS[-1]:
        raise ValueError(f"points_each={points_each!r}; 1 to {POINTS[-1]:,} points of a server")
    if keys <= S:
        raise ValueError(f"keys={keys}; more keys than servers, S={S}, are needed")
