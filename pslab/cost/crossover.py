"""Exercise 11.9.1: how many rows must a step touch before a dense all-reduce of the table moves fewer bytes?

      bytes │      server, 2K·n·(D·b + key)  ╱
            │                             ╱
            │─────────────────────────●──────   dense all-reduce, 2(K−1)·V·D·b: the same for every n
            │                      ╱  ┆
            └───────────────────────────────  n / V, rows one worker touches over rows of the table

n is the number of unique rows of *one* worker. Three ways to count give three answers; none is wrong, unnamed all are.
"""

from __future__ import annotations

from .ports import check_count

VIEWS = ("totals", "busiest", "direction")


def crossover_fraction(K: int, D: int, key_bytes: int = 0, S: int = 1, view: str = "totals",
                       itemsize: int = 4) -> float:
    """n/V at which server and dense all-reduce of a (V, D) table move equally many bytes. Above 1: they never do.

    view 'totals':    all links together,  2K·n·(Db + key) = 2(K−1)·V·Db;  D cancels when key_bytes is 0
    view 'busiest':   the server's port, both directions, against one direction of the ring's, as the chapter's
                      listing counts:      2·max(K/S, 1)·n·(Db + key) = 2(K−1)/K·V·Db
    view 'direction': busiest direction against busiest direction, both keys travel towards the server:
                                           max(K/S, 1)·n·(Db + 2·key) = 2(K−1)/K·V·Db
    """
    check_count("K", K, 1)
    check_count("S", S, 1)
    row_bytes = check_count("D", D, 1) * check_count("itemsize", itemsize, 1)
    check_count("key_bytes", key_bytes)
    if view not in VIEWS:
        raise ValueError(f"view={view!r}; allowed: {', '.join(VIEWS)}")
    if view == "totals":
        return (K - 1) * row_bytes / (K * (row_bytes + key_bytes))
    load = max(K, S)  # K/S workers' worth at a server's port; one worker's worth at a worker's when S > K
    if view == "busiest":
        return (K - 1) * S * row_bytes / (K * load * (row_bytes + key_bytes))
    return 2 * (K - 1) * S * row_bytes / (K * load * (row_bytes + 2 * key_bytes))
