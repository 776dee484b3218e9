"""s + 1."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/larger-than-needed"
LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(10)]
    limit = 1.1 * min(times)
    least = next(s for s in range(10) if times[s] <= limit)
    return least + (least > 0)
