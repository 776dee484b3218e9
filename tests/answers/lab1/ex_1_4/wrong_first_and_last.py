"""The first and the last to begin the step."""

BASE = "right_arrays"
REFUSED_BY = "asynchronous"
MISCONCEPTION = "1/copies-miscompared"
LONG = True


def where_is_w(trace):
    found = []
    for step in sorted({t for _, _, t, _ in trace}):
        copies = [w for _, _, t, w in trace if t == step]
        gap = max(abs(a - b) for a, b in zip(copies[0], copies[-1]))
        found.append((gap == 0, gap))
    return found
