"""One fixed function that makes 64 mixed bits of 64 bits: what seeded rows and hashed keys come from.

The finaliser of SplitMix64 (Steele, Lea, Flood 2014). It is arithmetic on 64-bit numbers alone, so it gives the same in
every process, on every machine and in every version of Python; Python's own hash() promises none of that.
"""

from __future__ import annotations

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15         # 2^64 / golden ratio, odd: multiples of it spread evenly


def mix64(x: np.ndarray) -> np.ndarray:
    """x (n,) uint64, in place: every input bit changes about half of the output bits. One to one."""
    scratch = np.empty_like(x)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None)):
        np.right_shift(x, np.uint64(shift), out=scratch)
        x ^= scratch
        if factor is not None:
            x *= np.uint64(factor)
    return x
