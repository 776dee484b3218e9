"""K machines are K times as fast."""

BASE = "right_two_times"
REFUSED_BY = "strong scaling"
MISCONCEPTION = "1/speedup-is-k"
LONG = True


def speedup_and_efficiency(times, weak):
    return {K: (float(K), 1.0) for K, t in times.items()}
