"""An array of NumPy, by logarithms."""

import numpy as np

LONG = True


def hot_or_tail(freqs, K, n):
    f = freqs.numpy()
    with np.errstate(divide="ignore"):
        p = -np.expm1(n * np.log1p(-f))
    return np.flatnonzero(p > (K - 1) / K)
