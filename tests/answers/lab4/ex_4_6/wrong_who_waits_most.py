"""The one that waits most."""

REFUSED_BY = "slow for good"
MISCONCEPTION = "4/who-waits-is-slow"
LONG = True


def who_was_slow(trace):
    took = {}
    for worker, _, _, computed, on in trace:
        took.setdefault(worker, []).append(on - computed)
    slow = max(took, key=lambda worker: sum(took[worker]))
    return slow, "persistent"
