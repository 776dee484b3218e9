"""Looks for T(1), which need not be there."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "all/raised"
LONG = True


def serial_fraction(times):
    m = max(times)
    return (times[m] / times[1] - 1 / m) / (1 - 1 / m)
