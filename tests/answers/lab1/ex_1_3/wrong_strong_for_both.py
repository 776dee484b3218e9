"""One formula for both questions."""

BASE = "right_two_times"
REFUSED_BY = "weak scaling"
MISCONCEPTION = "1/weak-is-strong"


def speedup_and_efficiency(times, weak):
    one = times[1]
    return {K: (one / t, one / (K * t)) for K, t in times.items()}
