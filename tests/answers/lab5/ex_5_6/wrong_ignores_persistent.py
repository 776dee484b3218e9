"""Stragglers are cured by s."""

REFUSED_BY = "a worker that is slow for good"
MISCONCEPTION = "5/cures-a-slow-worker"


def choose_s(simulate, largest):
    times = {s: simulate(s)["to_target_ms"] for s in (1, 2, 4, 8)}
    limit = 1.1 * min(times.values())
    return min(s for s, ms in times.items() if ms <= limit)
