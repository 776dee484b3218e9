"""Two unknowns, solved as a system."""

import numpy as np

LONG = True


def speedup_and_efficiency(times, weak):
    pairs = {}
    for K in times:
        speedup = times[1] / times[K] * (K if weak else 1)
        pairs[K] = [speedup, speedup / K]
    return pairs


def serial_fraction(times):
    A = np.array([[1, 1 / K] for K in times])
    (serial_s, divided_s), *_ = np.linalg.lstsq(A, np.array(list(times.values())), rcond=None)
    return serial_s / (serial_s + divided_s)
