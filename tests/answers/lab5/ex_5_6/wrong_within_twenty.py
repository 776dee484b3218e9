"""20 % for 10 %."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/not-within-ten"
LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(10)]
    limit = 1.2 * min(times)
    return next(s for s in range(10) if times[s] <= limit)
