"""Time beyond the usual decides who, medians decide how."""

from statistics import median


def who_was_slow(trace):
    took = {}
    for worker, _, begun, computed, _ in trace:
        took.setdefault(worker, []).append(computed - begun)
    usual = median(s for mine in took.values() for s in mine)
    slow = max(took, key=lambda worker: sum(s - usual for s in took[worker]))
    return slow, "persistent" if median(took[slow]) > 1.3 * usual else "transient"
