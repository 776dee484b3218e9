"""What the efficiency lacks."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/efficiency-for-fraction"
LONG = True


def serial_fraction(times):
    k, m = min(times), max(times)
    return 1 - times[k] / (m * times[m])
