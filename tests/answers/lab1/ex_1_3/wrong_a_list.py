"""A list without K."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/scaling-miscounted"
LONG = True


def speedup_and_efficiency(times, weak):
    return [(times[1] / t, times[1] / (K * t)) for K, t in times.items()]
