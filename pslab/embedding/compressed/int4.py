"""Two values in a byte: 16 levels between the smallest and the largest value of a row (FBGEMM's fused 4-bit layout).

    byte   0              1              ...  D/2-1      D/2, D/2+1           D/2+2, D/2+3
           q_1 | q_0      q_3 | q_2                      scale, float16 LE    bias, float16 LE       D/2 + 4 bytes a row
           high 4 bits | low 4 bits: the even column is the low nibble

    bias = fp16(min)   scale = fp16((max - bias) / 15)   q_j = round((x_j - bias) / scale)   x_j ≈ bias + scale · q_j

Two numbers of float16 a row cost fewer bytes and more error. Rounded to the nearest level, |error| is at most

    scale / 2 + |bias - min| + |15 · scale - (max - bias)|

where float16 is right to 2^-11 of a number (2^-25 where that is below 2^-14). A constant row c has levels 15 and
scale = fp16((c - fp16(c)) / 15): exact where float16 holds c, else right to 2^-22 · |c| or 4.5e-7, what is more. A row
with max - min < 4.4e-7 has a scale below float16 and reads as its bias. Byte for byte what
torch.ops.quantized.embedding_bag_4bit_prepack writes.
"""

from __future__ import annotations

import numpy as np

from .int8 import as_packed
from .rounding import Stochastic, as_rows, refuse_rows

LEVELS = 15
EXTRA_BYTES = 4


def row_bytes(dim: int) -> int:
    """Bytes of a row of D = dim values: D/2 + 4. ValueError where D is odd."""
    if dim % 2:
        raise ValueError(f"dim={dim}; int4 rows hold two values in a byte: an even dim is needed")
    return dim // 2 + EXTRA_BYTES


def encode(rows, rounding: Stochastic | None = None):
    """(n, D) float32, array or tensor -> (n, D/2 + 4) uint8, of the same kind; D even.

    rounding: None for the nearest level, or a Stochastic: bias is then rounded down and scale up, so that all values
    lie between the lowest and the highest level and the mean of many draws is the value. ValueError for an odd D, NaN
    or infinity, values or a span beyond float16 (65,504), the last with the number of the row.
    """
    rows, give_back = as_rows(rows, "int4")
    n, dim = rows.shape
    packed = np.empty((n, row_bytes(dim)), np.uint8)
    bias, scale = _ends(rows, outward=rounding is not None)
    above = rows - bias.astype(np.float32)[:, None]
    if rounding is None:
        levels = np.rint(above * (np.float32(1) / scale.astype(np.float32))[:, None])
    else:
        exact = rows.astype(np.float64) - bias.astype(np.float64)[:, None]
        levels = rounding.round(exact / scale.astype(np.float64)[:, None])
    levels = np.clip(levels, 0, LEVELS).astype(np.uint8)
    packed[:, :dim // 2] = levels[:, 0::2] | levels[:, 1::2] << 4
    packed[:, dim // 2:dim // 2 + 2] = scale.astype("<f2").view(np.uint8).reshape(n, 2)
    packed[:, dim // 2 + 2:] = bias.astype("<f2").view(np.uint8).reshape(n, 2)
    return give_back(packed)


def decode(packed):
    """(n, D/2 + 4) uint8 -> (n, D) float32, of the same kind: bias + scale · level."""
    packed, give_back = as_packed(packed, EXTRA_BYTES, "int4: D/2 bytes of levels, then scale and bias of 2 bytes each")
    half = packed.shape[1] - EXTRA_BYTES
    ends = np.ascontiguousarray(packed[:, half:]).view("<f2").astype(np.float32)
    rows = np.empty((len(packed), 2 * half), np.float32)
    rows[:, 0::2] = packed[:, :half] & 15
    rows[:, 1::2] = packed[:, :half] >> 4
    rows *= ends[:, :1]
    rows += ends[:, 1:]
    return give_back(rows)


def scales(packed) -> np.ndarray:
    """(n,) float32: the scale of each packed row."""
    packed, _ = as_packed(packed, EXTRA_BYTES, "int4")
    return np.ascontiguousarray(packed[:, -4:-2]).view("<f2")[:, 0].astype(np.float32)


def error_bound(rows, packed) -> np.ndarray:
    """(n,) float64: what no value of a row that was rounded to the nearest level is off by more than; see above."""
    rows = np.asarray(rows, np.float64)
    low, high = rows.min(axis=1), rows.max(axis=1)
    packed, _ = as_packed(packed, EXTRA_BYTES, "int4")
    scale, bias = np.ascontiguousarray(packed[:, -4:]).view("<f2").astype(np.float64).T
    lost = np.where((packed[:, :-4] == 0).all(axis=1), high - np.minimum(bias, low), 0)      # every level is 0
    of_ends = np.abs(bias - low) + np.abs(LEVELS * scale - (high - bias))
    return np.maximum(np.abs(scale) / 2 + of_ends, lost) + 4 * 2.0**-24 * (np.abs(rows).max(axis=1) + high - low)


def _ends(rows, outward: bool):
    """(bias (n,), scale (n,)) float16; outward: bias at or below every value, bias + 15 · scale at or above."""
    low, high = rows.min(axis=1), rows.max(axis=1)
    with np.errstate(over="ignore"):
        bias = low.astype(np.float16)
        if outward:
            bias = np.where(bias > low, np.nextafter(bias, np.float16(-np.inf)), bias)
        refuse_rows(~np.isfinite(bias), rows, "has a smallest value beyond float16 (65,504), where int4 rows keep it")
        span = high - bias.astype(np.float32)
        scale = (span / np.float32(LEVELS)).astype(np.float16)
        if outward:
            scale = np.where(scale.astype(np.float64) * LEVELS < high.astype(np.float64) - bias,
                             np.nextafter(scale, np.float16(np.inf)), scale)
    refuse_rows(~np.isfinite(scale), rows, "spans more than 15 steps of float16 can hold (982,560)")
    return bias, np.where(scale == 0, np.float16(1), scale)         # any scale does for levels that are all 0
