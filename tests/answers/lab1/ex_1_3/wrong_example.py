"""Knows the example."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/fit-miscounted"
LONG = True


def serial_fraction(times):
    return 0.125
