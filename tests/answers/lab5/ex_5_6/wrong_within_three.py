"""Hardly any slack."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/larger-than-needed"
LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(10)]
    if min(times) > 0.93 * times[0]:
        return "backup"
    limit = 1.03 * min(times)
    return next(s for s in range(10) if times[s] <= limit)
