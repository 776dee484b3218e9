"""Every pair of workers."""

from itertools import combinations

LONG = True


def where_is_w(trace):
    steps = max(t for _, _, t, _ in trace) + 1
    found = []
    for step in range(steps):
        copies = [w for _, _, t, w in trace if t == step]
        gap = max((abs(a - b) for one, other in combinations(copies, 2) for a, b in zip(one, other)), default=0.0)
        found.append((gap == 0, gap))
    return found
