"""A line through all times over 1/K."""

import numpy as np

LONG = True


def speedup_and_efficiency(times, weak):
    return {K: (K * times[1] / t, times[1] / t) if weak else (times[1] / t, times[1] / t / K)
            for K, t in sorted(times.items())}


def serial_fraction(times):
    slope, serial_s = np.polyfit([1 / K for K in times], list(times.values()), 1)
    return float(serial_s / (serial_s + slope))
