"""In per cent."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/in-per-cent"
LONG = True


def speedup_and_efficiency(times, weak):
    one = times[1]
    if weak:
        return {K: (K * one / t, 100 * one / t) for K, t in times.items()}
    return {K: (one / t, 100 * one / (K * t)) for K, t in times.items()}
