"""256 codes, 256 steps."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/a-step-too-many"
LONG = True

of = scales


def scales(rows, steps):
    return of(rows, steps + 1)
