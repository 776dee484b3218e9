"""Exercise 11.9.1: how many rows must a step touch before a dense all-reduce of the table moves fewer bytes?

      bytes │      server, 2K·n·(D·b + key)  ╱
            │                             ╱
            │─────────────────────────●──────   dense all-reduce, 2(K−1)·V·D·b: the same for every n
            │                      ╱  ┆
            └───────────────────────────────  n / V, rows one worker touches over rows of the table

n is the number of unique rows of *one* worker. Different ways to count give different answers; none is wrong, unnamed
all are.

    view         n/V at equality, r = Db/(Db + key)         K = 8: D = 128   D = 16    D = 1
    totals       (K−1)/K · r                                       86.2 %    77.8 %    29.2 %    8-byte keys
    busiest      (K−1)S/(K·max(K, S)) · r                          10.8 %     9.7 %     3.6 %    S = 1
    direction    2(K−1)S/(K·max(K, S)) · Db/(Db + 2·key)           21.2 %    17.5 %     4.4 %    S = 1
    gather       2/K · r                                           24.6 %    22.2 %     8.3 %
    colocated    r                                                 98.5 %    88.9 %    33.3 %

With keys that cost nothing D cancels in all of them: 87.5, 10.9, 21.9, 25 and 100 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .ports import check_count

CROSSOVER_VIEWS = {
    "totals": "server, all links, against the ring, all links",
    "busiest": "server's port, both directions, against one direction of the ring's, as the chapter's listing counts",
    "direction": "busiest direction of the busiest port, server against ring",
    "gather": "sparse all-gather against ring, all links; one port of each gives the same",
    "colocated": "servers on the workers' machines, all links, against the ring; one port of each gives the same",
}


@dataclass(frozen=True)
class CrossoverBytes:
    """What both sides move by one way of counting: the ring's bytes, and those of the sparse side."""

    dense: float
    sparse: float

    @property
    def ring_wins(self) -> bool:
        """The ring moves fewer; equal bytes are no win."""
        return self.dense < self.sparse


def crossover_fraction(K: int, D: int, key_bytes: int = 0, S: int = 1, view: str = "totals",
                       itemsize: int = 4) -> float:
    """n/V at which the sparse side and a dense all-reduce of a (V, D) table move equally many bytes. Above 1: never.

    view 'totals':    all links together,  2K·n·(Db + key) = 2(K−1)·V·Db;  D cancels when key_bytes is 0
    view 'busiest':   the server's port, both directions, against one direction of the ring's, as the chapter's
                      listing counts:      2·max(K/S, 1)·n·(Db + key) = 2(K−1)/K·V·Db
    view 'direction': busiest direction against busiest direction, both keys travel towards the server:
                                           max(K/S, 1)·n·(Db + 2·key) = 2(K−1)/K·V·Db
    view 'gather':    sparse all-gather,   K(K−1)·n·(Db + key) = 2(K−1)·V·Db, over all links and through one port
    view 'colocated': K servers beside K workers, a K-th of the rows at home: 2(K−1)·n·(Db + key) = 2(K−1)·V·Db
    """
    per_row, per_touched = _slopes(K, D, key_bytes, S, view, itemsize)
    return float(per_row / per_touched)


def crossover_bytes(V: int, n: int, K: int, D: int, key_bytes: int = 0, S: int = 1, view: str = "totals",
                    itemsize: int = 4) -> CrossoverBytes:
    """Bytes of both sides where one worker touches n of V rows: even shares, nothing rounded (see `three_rivals`).

    ValueError where n is above V.
    """
    if check_count("n", n) > check_count("V", V, 1):
        raise ValueError(f"n={n}; a worker's unique rows can be at most V={V}")
    per_row, per_touched = _slopes(K, D, key_bytes, S, view, itemsize)
    return CrossoverBytes(float(V * per_row), float(n * per_touched))


def crossover_rows(V: int, K: int, D: int, key_bytes: int = 0, S: int = 1, view: str = "totals",
                   itemsize: int = 4) -> int | None:
    """The least n for which the ring of a (V, D) table moves fewer bytes; None where even n = V does not do it."""
    check_count("V", V, 1)
    per_row, per_touched = _slopes(K, D, key_bytes, S, view, itemsize)
    n = V * per_row // per_touched + 1
    return int(n) if n <= V else None


def _slopes(K: int, D: int, key_bytes: int, S: int, view: str,
            itemsize: int) -> tuple[Fraction, Fraction]:
    """(bytes of the ring for a row of the table, bytes of the sparse side for a row that one worker touches), exact."""
    check_count("K", K, 1)
    check_count("S", S, 1)
    row = check_count("D", D, 1) * check_count("itemsize", itemsize, 1)
    check_count("key_bytes", key_bytes)
    if view not in CROSSOVER_VIEWS:
        raise ValueError(f"view={view!r}; allowed: {', '.join(CROSSOVER_VIEWS)}")
    if view == "totals":
        return Fraction(2 * (K - 1) * row), Fraction(2 * K * (row + key_bytes))
    if view in ("gather", "colocated"):
        if K == 1:
            raise ValueError(f"K=1; one worker alone sends nothing in view {view!r}, 2 or more are needed")
        copies = K if view == "gather" else 2
        return Fraction(2 * (K - 1) * row), Fraction(copies * (K - 1) * (row + key_bytes))
    ring = Fraction(2 * (K - 1) * row, K)
    load = Fraction(max(K, S), S)  # K/S workers' worth at a server's port; one worker's at a worker's when S > K
    if view == "busiest":
        return ring, 2 * load * (row + key_bytes)
    return ring, load * (row + 2 * key_bytes)
