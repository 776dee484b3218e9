"""The longest single step."""

from statistics import median

REFUSED_BY = "slow for good"
MISCONCEPTION = "4/worst-single-step"


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    slow = max(took, key=lambda worker: max(took[worker]))
    usual = median(s for mine in took.values() for s in mine)
    return slow, "persistent" if median(took[slow]) > 1.3 * usual else "transient"
