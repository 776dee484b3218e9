"""The ring of hashed space: where servers have their points, whose arc each piece is, and which keys change hands.

              0 ≅ 2^64
           B ─────── A          an arc has the colour of the point at its end, clockwise: that server owns it
          │           │
          │     •5 ──>│         a key at its hash; it belongs to the next point
           A ─────── C
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, PAPER, SOFT, points, styled, type_pt

if TYPE_CHECKING:
    from pslab.ps import ConsistentHash

MAX_PLACES = 64         # more points than these have no room for their names
WHOLE = 2.0**64


def hash_ring(*partitions: ConsistentHash, keys: Sequence[int] = (), title: str = "The ring of hashed space",
              names: Sequence[str] | None = None) -> Picture:
    """Draw bound consistent hashes (one or two, the second after a change), and keys with the point they belong to.

    names: above each circle. A key that has another owner in the second circle than in the first is drawn in a ring.
    The twin lists the share of the ring of every server, and its keys.
    """
    if not 1 <= len(partitions) <= 2:
        raise ValueError(f"{len(partitions)} partitions; one or two are drawn")
    names = [""] * len(partitions) if names is None else list(names)
    if len(names) != len(partitions):
        raise ValueError(f"names has {len(names)} entries; there are {len(partitions)} partitions")
    keys = np.asarray(list(keys), np.int64)
    owners = [partition.owner(keys) for partition in partitions]
    with styled():
        figure, axes = new_figure(width_in=3.9 * len(partitions), height_in=4.1, columns=len(partitions), squeeze=False)
        for panel, (partition, owner, name) in enumerate(zip(partitions, owners, names)):
            _circle(axes[0, panel], partition, keys, owner, owner != owners[0], name)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    return Picture(figure, title, _twin(partitions, keys, owners, names))


def ring_shares(partition: ConsistentHash) -> dict[int, float]:
    """{server: its share of the ring}, exactly: the arcs that end at its points."""
    places, owners = partition.ring()
    arcs = np.diff(places, prepend=places[-1:])         # whole numbers modulo 2^64, so that the first arc is right too
    if len(places) == 1:
        return {int(owners[0]): 1.0}
    return {server: float(arcs[owners == server].astype(np.float64).sum() / WHOLE) for server in partition.servers}


def _circle(axes, partition, keys, owner, moved, name) -> None:
    places, servers = partition.ring()
    if len(places) > MAX_PLACES:
        raise ValueError(f"{len(places)} points on the ring; at most {MAX_PLACES} can be drawn with their names")
    angles, start, radii = places / WHOLE, places[-1] / WHOLE - 1.0, _apart(places / WHOLE, 1.13, 0.11)
    for angle, server, radius in zip(angles, servers, radii):
        look = _look(server)
        axes.plot(*_at(np.linspace(start, angle, 60), 1.0), color=look.color, linewidth=points(4), zorder=1,
                  solid_capstyle="butt")
        axes.plot(*_at(angle, 1.0), look.marker, color=look.color, markersize=points(9), zorder=3,
                  markeredgecolor=PAPER if look.marker != "x" else look.color)
        axes.text(*_at(angle, radius), str(server), ha="center", va="center", color=INK, fontsize=type_pt(9),
                  fontweight="bold")
        start = angle
    at = partition.place(keys) / WHOLE
    for key, turn, server, new, radius in zip(keys, at, owner, moved, _apart(at, 0.74, -0.11)):
        end = angles[np.searchsorted(angles, turn)] if turn <= angles[-1] else 1.0 + angles[0]
        axes.plot(*_at(np.linspace(turn, end, 40), 0.88), color=_look(server).color, linewidth=points(1.1), zorder=2)
        axes.plot(*_at(end, np.array([0.88, 0.96])), color=_look(server).color, linewidth=points(1.1), zorder=2)
        axes.plot(*_at(turn, 0.88), "o", color=INK, markersize=points(4), zorder=4)
        if new:
            axes.plot(*_at(turn, 0.88), "o", color=INK, markersize=points(10), fillstyle="none", zorder=4)
        axes.text(*_at(turn, radius), str(key), ha="center", va="center", color=INK, fontsize=type_pt(8))
    axes.plot(*_at(np.array([0.0, 0.0]), np.array([0.96, 1.04])), color=INK, linewidth=points(1.2), zorder=2)
    axes.text(*_at(0.0, 1.27), "0", ha="center", va="center", color=SOFT, fontsize=type_pt(8))
    axes.text(0, 0, name, ha="center", va="center", color=INK, fontsize=type_pt(9.5))
    axes.set_aspect("equal")
    axes.set_xlim(-1.35, 1.35)
    axes.set_ylim(-1.35, 1.35)
    axes.axis("off")


def _apart(turns: np.ndarray, radius: float, step: float) -> np.ndarray:
    """Radii of the names: one that is too near to the one before it moves a step aside."""
    radii, order = np.full(len(turns), radius), np.argsort(turns)
    for before, this in zip(order, order[1:]):
        if turns[this] - turns[before] < 0.03 and radii[before] == radius:
            radii[this] += step
    return radii


def _at(turn, radius):
    """(x, y) of a place on the ring, as a share of the whole turn from the top, clockwise."""
    return radius * np.sin(2 * np.pi * turn), radius * np.cos(2 * np.pi * turn)


def _look(server: int):
    return list(LOOKS.values())[int(server) % len(LOOKS)]


def _twin(partitions, keys, owners, names) -> Table:
    rows = []
    for partition, owner, name in zip(partitions, owners, names):
        for server, share in ring_shares(partition).items():
            held = ", ".join(str(key) for key in keys[owner == server])
            rows.append([name, server, partition.points, f"{share:.1%}", held or "none"])
    moved = int((owners[-1] != owners[0]).sum())
    return Table(["circle", "server", "points", "share of the ring", "keys"], rows,
                 note=f"{moved} of {len(keys)} keys have another owner in the second" if len(partitions) == 2 else "")
