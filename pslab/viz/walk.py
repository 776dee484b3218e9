"""Where the chunks of a ring all-reduce are after each step, and whose parts are in them, from a run of one. K = 3:

              start          step 1                step 2
    rank 0    a0 b0 c0       a0   b0   c20         ...          boxes fill up as parts of more ranks are in them;
    rank 1    a1 b1 c1       a01  b1   c1                       a line leads from where a piece was sent
    rank 2    a2 b2 c2       a2   b12  c2                       to where it arrived
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Rectangle

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, PAPER, points, styled, type_pt

LETTERS = "abcd"
_COLORS = [LOOKS[name].color for name in ("allreduce", "server", "hybrid", "gather")]
_BOX, _GAP = 1.0, 1.1                              # width of a box, and between the columns of two steps


class Move(NamedTuple):
    """In step `step`, src sends piece `piece`, with the parts of the ranks in `parts`, to dst."""

    step: int
    src: int
    dst: int
    piece: int
    parts: frozenset


def ring_walk(K: int = 3, *, title: str = "All-reduce around a ring: whose parts are in which chunk") -> Picture:
    """Run a ring all-reduce of K chunks (2 to 4) in the simulator and draw what every rank holds after each step."""
    if not isinstance(K, int) or not 2 <= K <= len(LETTERS):
        raise ValueError(f"K={K!r}; 2 to {len(LETTERS)} ranks can be drawn")
    moves = moves_of_ring(K)
    states = states_of(moves, K)
    with styled():
        figure, axes = new_figure(height_in=0.7 + 0.62 * K, width_in=7.4)
        for step, state in enumerate(states):
            for rank in range(K):
                for piece in range(K):
                    _box(axes, K, step, rank, piece, state[rank][piece])
        for move in moves:
            _line(axes, K, move)
        _words(axes, K, len(states))
        axes.set_title(title)
    rows = [["start" if step == 0 else f"step {step}", f"rank {rank}", *(_name(p, state[rank][p]) for p in range(K))]
            for step, state in enumerate(states) for rank in range(K)]
    return Picture(figure, title, Table(["after", "holder", *LETTERS[:K]], rows))


def moves_of_ring(K: int) -> list[Move]:
    """Every message of a ring all-reduce, from what it carried: element j of rank r has bit r + j·K alone."""
    from pslab.collectives import all_reduce
    from pslab.comm import SimWorld

    seen: list[Move] = []

    def program(comm):
        mine = np.array([1 << (comm.rank + piece * K) for piece in range(K)], np.int64)
        all_reduce(_Watched(comm, seen, K), mine, algorithm="ring")

    SimWorld(K).run(program)
    return sorted(seen)


def states_of(moves: list[Move], K: int) -> list[list[list[frozenset]]]:
    """states[step][rank][piece]: the ranks whose parts are in that piece there."""
    states = [[[frozenset([rank])] * K for rank in range(K)]]
    for step in range(1, 1 + max(move.step for move in moves)):
        state = [list(pieces) for pieces in states[-1]]
        for move in (m for m in moves if m.step == step):
            state[move.dst][move.piece] = move.parts | states[-1][move.dst][move.piece]
        states.append(state)
    return states


class _Watched:
    """A comm that notes what is sent."""

    def __init__(self, comm, seen: list[Move], K: int):
        self._comm, self._seen, self._K, self._step = comm, seen, K, 0

    def __getattr__(self, name: str):
        return getattr(self._comm, name)

    def isend(self, tensor, dst: int, tag: int = 0):
        self._step += 1
        bits, = np.asarray(tensor).tolist()
        piece = (bits.bit_length() - 1) // self._K
        parts = frozenset(rank for rank in range(self._K) if bits >> (rank + piece * self._K) & 1)
        self._seen.append(Move(self._step, self._comm.rank, dst, piece, parts))
        return self._comm.isend(tensor, dst, tag)

    def relay(self, src: int, dst: int, tag: int = 0, *, out=None):
        tensor = self._comm.recv(src, tag, out=out)
        return tensor, self.isend(tensor, dst, tag)


def _name(piece: int, parts: frozenset) -> str:
    return LETTERS[piece] + "".join(map(str, sorted(parts)))


def _left(K: int, step: int, piece: int) -> float:
    return step * (K * _BOX + _GAP) + piece * _BOX


def _box(axes, K: int, step: int, rank: int, piece: int, parts: frozenset) -> None:
    whole, left = len(parts) == K, _left(K, step, piece)
    share = 1.0 if whole else 0.10 + 0.4 * (len(parts) - 1) / (K - 1)
    axes.add_patch(Rectangle((left, rank - 0.3), _BOX, 0.6, facecolor=_pale(_COLORS[piece], share), edgecolor=PAPER,
                             zorder=2))
    letter, below = LETTERS[piece], "" if whole else "$_{" + "".join(map(str, sorted(parts))) + "}$"
    axes.text(left + _BOX / 2, rank, letter + below, ha="center", va="center", zorder=4,
              fontsize=type_pt(8.5 if K < 4 else 7), color=PAPER if whole else INK,
              fontweight="bold" if whole else "normal")


def _pale(color: str, share: float) -> tuple[float, ...]:
    """The color on paper, as much of it as `share` says; opaque, so that lines stay behind the boxes."""
    return tuple(1 - share * (1 - part) for part in to_rgb(color))


def _line(axes, K: int, move: Move) -> None:
    """From the box that was sent to the one that it arrived in."""
    edge = 0.31 if move.dst > move.src else -0.31                # down from a lower edge to an upper one, or up again
    start = _left(K, move.step - 1, move.piece) + _BOX / 2, move.src + edge
    end = _left(K, move.step, move.piece) + _BOX / 2, move.dst - edge
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=points(7), shrinkA=0, shrinkB=0,
                                   color=_COLORS[move.piece], linewidth=points(1.0), zorder=1))


def _words(axes, K: int, columns: int) -> None:
    words = ["start", *(f"step {step}: {'add' if step < K else 'copy'}" for step in range(1, columns))]
    axes.set_xticks([_left(K, step, 0) + K * _BOX / 2 for step in range(columns)], words)
    axes.set_yticks(range(K), [f"rank {rank}" for rank in range(K)])
    axes.set_xlim(-0.3, _left(K, columns - 1, K) + 0.3)
    axes.set_ylim(K - 0.5, -0.5)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
