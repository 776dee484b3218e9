"""The best one, and not the least good one."""

REFUSED_BY = "a worker that is slow for good"
MISCONCEPTION = "5/cures-a-slow-worker"
LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(11)]
    return min(range(11), key=times.__getitem__)
