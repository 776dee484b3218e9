"""A line over K."""

import numpy as np

BASE = "right_two_times"
REFUSED_BY = "Amdahl's f"
MISCONCEPTION = "1/fit-miscounted"
LONG = True


def serial_fraction(times):
    slope, serial_s = np.polyfit(list(times), list(times.values()), 1)
    return float(serial_s / (serial_s + slope))
