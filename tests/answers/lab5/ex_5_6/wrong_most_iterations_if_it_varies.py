"""Iterations a second, where they vary."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/too-stale-to-learn"
LONG = True


def choose_s(simulate, largest):
    per_s = {s: simulate(s)["iterations_per_s"] for s in (0, 1, 2, 4, 8, largest)}
    if per_s[8] < 1.1 * per_s[0]:
        return 0
    return largest
