"""The formula of weak scaling for both."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/strong-is-weak"


def speedup_and_efficiency(times, weak):
    one = times[1]
    return {K: (K * one / t, one / t) for K, t in times.items()}
