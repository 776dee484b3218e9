"""The most iterations a second."""

REFUSED_BY = "a worker that is slow for good"
MISCONCEPTION = "5/cures-a-slow-worker"
LONG = True


def choose_s(simulate, largest):
    per_s = {s: simulate(s)["iterations_per_s"] for s in (0, 1, 2, 4, 8, largest)}
    return max(per_s, key=per_s.get)
