"""Persistent from ten times the usual."""

from statistics import median

REFUSED_BY = "slow for good"
MISCONCEPTION = "4/persistent-called-transient"
LONG = True


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    slow = max(took, key=lambda worker: sum(took[worker]) / len(took[worker]))
    usual = median(s for mine in took.values() for s in mine)
    return slow, "persistent" if median(took[slow]) > 10 * usual else "transient"
