"""Always the same."""

REFUSED_BY = "slow now and then"
MISCONCEPTION = "4/transient-called-persistent"
LONG = True


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    slow = max(took, key=lambda worker: sum(took[worker]) / len(took[worker]))
    return slow, "persistent"
