"""Over the time of the first entry."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/scaling-miscounted"
LONG = True


def speedup_and_efficiency(times, weak):
    one = list(times.values())[-2]
    return {K: (one / t, one / (K * t)) for K, t in times.items()}
