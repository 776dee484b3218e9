"""Efficiency first."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/other-way-round"
LONG = True


def speedup_and_efficiency(times, weak):
    one = times[1]
    if weak:
        return {K: (one / t, K * one / t) for K, t in times.items()}
    return {K: (one / (K * t), one / t) for K, t in times.items()}
