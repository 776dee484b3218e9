"""Rows as bytes: 256 levels between the smallest and the largest value of a row (FBGEMM's fused 8-bit layout).

    byte    0 ... D-1        D ... D+3              D+4 ... D+7
            levels q_0..     scale, float32 LE      bias = smallest value, float32 LE          D + 8 bytes a row

    scale = (max - min) / 255        q_j = round((x_j - min) / scale)        x_j ≈ bias + scale · q_j

|error| ≤ scale / 2, but for float32 rounding and what EPSILON does (below). A constant row has scale 0 and is exact.
Levels are rounded to the nearest, halves to the even level, or stochastically, see rounding.py. Layout, scale and
levels are those of torch.ops.quantized.embedding_bag_byte_prepack, byte for byte, in rows with max - min ≥ 0.001 (but
for the sign of a bias of 0, where a row holds both 0.0 and -0.0).
"""

from __future__ import annotations

import numpy as np

from .rounding import Stochastic, as_array, as_rows, refuse_rows

LEVELS = 255
EXTRA_BYTES = 8                     # a row's scale and bias
# FBGEMM divides by max - min + 1e-8, which shifts the highest levels of rows that are nearly constant: by 0.0026 of a
# level where max - min is 0.001, by all 255 of them where it is 1e-10. Gradients are as small as that, so that the
# number is added here in rows of 0.001 and above alone, where it keeps FBGEMM's bytes and costs nothing.
EPSILON, EPSILON_FROM = np.float32(1e-8), np.float32(1e-3)


def row_bytes(dim: int) -> int:
    """Bytes of a row of D = dim values: D + 8."""
    return dim + EXTRA_BYTES


def encode(rows, rounding: Stochastic | None = None):
    """(n, D) float32, array or tensor -> (n, D + 8) uint8, of the same kind.

    rounding: None for the nearest level, or a Stochastic. ValueError for NaN or infinity, for a row whose
    max - min float32 cannot hold, each with the number of the row, and for rows of another shape or type.
    """
    rows, give_back = as_rows(rows, "int8")
    n, dim = rows.shape
    packed = np.empty((n, dim + EXTRA_BYTES), np.uint8)
    low, high = rows.min(axis=1), rows.max(axis=1)
    with np.errstate(over="ignore"):
        span = high - low
    refuse_rows(~np.isfinite(span), rows, f"spans more than float32 can hold ({np.finfo(np.float32).max:.3g})")
    scale = span / np.float32(LEVELS)
    too_small = scale.astype(np.float64) * LEVELS < span
    if rounding is None:
        too_small &= scale < np.finfo(np.float32).tiny         # else a few subnormals are missing at the upper end
    scale[too_small] = np.nextafter(scale[too_small], np.float32(np.inf))
    levels = rows - low[:, None]
    if rounding is None:
        plain = span >= EPSILON_FROM
        inverse = np.float32(LEVELS) / np.where(plain, span + EPSILON, np.float32(1))
        levels[plain] *= inverse[plain, None]
        levels[~plain] = _divided(levels[~plain], scale[~plain])
        np.rint(levels, out=levels)
    else:
        levels = rounding.round(_divided(levels, scale))
    packed[:, :dim] = np.clip(levels, 0, LEVELS, out=levels)
    packed[:, dim:dim + 4] = scale.astype("<f4").view(np.uint8).reshape(n, 4)
    packed[:, dim + 4:] = low.astype("<f4").view(np.uint8).reshape(n, 4)
    return give_back(packed)


def decode(packed):
    """(n, D + 8) uint8 -> (n, D) float32, of the same kind: bias + scale · level."""
    packed, give_back = as_packed(packed, EXTRA_BYTES, "int8: D levels, then scale and bias of 4 bytes each")
    dim = packed.shape[1] - EXTRA_BYTES
    ends = np.ascontiguousarray(packed[:, dim:]).view("<f4")
    rows = packed[:, :dim].astype(np.float32)
    rows *= ends[:, :1]
    rows += ends[:, 1:]
    return give_back(rows)


def scales(packed) -> np.ndarray:
    """(n,) float32: the scale of each packed row; twice the largest error of its values."""
    packed, _ = as_packed(packed, EXTRA_BYTES, "int8")
    return np.ascontiguousarray(packed[:, -8:-4]).view("<f4")[:, 0]


def error_bound(rows, packed) -> np.ndarray:
    """(n,) float64: what no value of a row that was rounded to the nearest level is off by more than.

    scale / 2, and 1e-8 for EPSILON in rows of max - min ≥ 0.001, and four roundings of float32 at the row's largest
    value (x - min, its product, scale · q, the sum).
    """
    rows = np.asarray(rows, np.float64)
    span = rows.max(axis=1) - rows.min(axis=1)
    largest = np.abs(rows).max(axis=1) + span
    return scales(packed) / 2.0 + np.where(span >= EPSILON_FROM, float(EPSILON), 0.0) + 4 * 2.0**-24 * largest


def _divided(above, scale) -> np.ndarray:
    """(n, D) float64 levels, not yet rounded; 0 in constant rows."""
    return above / np.where(scale > 0, scale, 1).astype(np.float64)[:, None]


def as_packed(packed, extra_bytes: int, what: str):
    """(array (n, width) uint8, function that gives back the kind that came in), or ValueError."""
    array, give_back = as_array(packed)
    if array.ndim != 2 or array.dtype != np.uint8 or array.shape[1] <= extra_bytes:
        raise ValueError(f"packed has shape {list(array.shape)} and type {array.dtype}; uint8 of shape (n, more than "
                         f"{extra_bytes}) is needed ({what})")
    return array, give_back
