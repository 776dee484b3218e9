"""The smallest K is one machine."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/first-is-one-machine"


def serial_fraction(times):
    k, m = min(times), max(times)
    ratio = times[m] / times[k]
    return (ratio - 1 / m) / (1 - 1 / m)
