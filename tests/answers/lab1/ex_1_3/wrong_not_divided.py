"""Efficiency is the speedup."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/efficiency-is-speedup"
LONG = True


def speedup_and_efficiency(times, weak):
    one = times[1]
    if weak:
        return {K: (K * one / t, K * one / t) for K, t in times.items()}
    return {K: (one / t, one / t) for K, t in times.items()}
