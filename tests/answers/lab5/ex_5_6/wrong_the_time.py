"""Returns the time."""

REFUSED_BY = "a worker that is slow for good"
MISCONCEPTION = "all/bad-value"
LONG = True


def choose_s(simulate, largest):
    return simulate(2)["to_target_ms"]
