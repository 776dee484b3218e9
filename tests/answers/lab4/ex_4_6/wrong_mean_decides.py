"""The mean decides how."""

from statistics import median

REFUSED_BY = "slow now and then"
MISCONCEPTION = "4/transient-called-persistent"


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    slow = max(took, key=lambda worker: sum(took[worker]) / len(took[worker]))
    usual = median(s for mine in took.values() for s in mine)
    return slow, "persistent" if sum(took[slow]) / len(took[slow]) > 1.3 * usual else "transient"
