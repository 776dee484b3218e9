"""The limit of the speedup."""

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/limit-for-fraction"
LONG = True


def serial_fraction(times):
    k, m = min(times), max(times)
    divided_s = (times[k] - times[m]) / (1 / k - 1 / m)
    serial_s = times[k] - divided_s / k
    return (serial_s + divided_s) / serial_s
