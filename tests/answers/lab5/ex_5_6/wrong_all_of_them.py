"""A run for each s."""

REFUSED_BY = "at most twelve runs"
MISCONCEPTION = "5/too-many-runs"


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(largest + 1)]
    limit = 1.1 * min(times)
    return next(s for s in range(16) if times[s] <= limit)
