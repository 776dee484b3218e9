"""Knows the printed example."""

REFUSED_BY = "all links together"
MISCONCEPTION = "9/one-number-for-all"


def crossover(K, D, key_bytes, S, view):
    known = {(128, 8): 7 / 8 * 512 / 520, (16, 8): 7 / 8 * 64 / 72, (1, 8): 7 / 24}
    return known.get((D, key_bytes), 0.875)
