"""The share that is saved."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/saved-time"
LONG = True


def speedup_and_efficiency(times, weak):
    one = times[1]
    return {K: (1 - t / one, (1 - t / one) / K) for K, t in times.items()}
