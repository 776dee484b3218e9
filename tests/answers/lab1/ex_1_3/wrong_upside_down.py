"""Upside down."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/upside-down"
LONG = True


def speedup_and_efficiency(times, weak):
    one = times[1]
    if weak:
        return {K: (t / (K * one), t / one) for K, t in times.items()}
    return {K: (t / one, K * t / one) for K, t in times.items()}
