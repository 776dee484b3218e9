"""Smallest and largest of each number, entry by entry."""

LONG = True


def where_is_w(trace):
    low, high = {}, {}
    for _, _, t, w in trace:
        low[t] = [min(a, b) for a, b in zip(low.get(t, w), w)]
        high[t] = [max(a, b) for a, b in zip(high.get(t, w), w)]
    return [(low[t] == high[t], max(b - a for a, b in zip(low[t], high[t]))) for t in sorted(low)]
