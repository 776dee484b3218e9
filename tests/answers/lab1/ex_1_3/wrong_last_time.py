"""The time on the most machines over the first."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/last-time-is-serial"
LONG = True


def serial_fraction(times):
    k, m = min(times), max(times)
    return times[m] / times[k]
