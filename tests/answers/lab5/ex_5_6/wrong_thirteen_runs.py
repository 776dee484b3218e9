"""One run too many."""

REFUSED_BY = "at most twelve runs"
MISCONCEPTION = "5/too-many-runs"
LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(13)]
    limit = 1.1 * min(times)
    return next(s for s in range(13) if times[s] <= limit)
