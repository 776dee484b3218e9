"""Always the other."""

REFUSED_BY = "slow for good"
MISCONCEPTION = "4/persistent-called-transient"
LONG = True


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    slow = max(took, key=lambda worker: sum(took[worker]) / len(took[worker]))
    return slow, "transient"
