"""Keys and their rows as arrays: never a Python loop over keys.

    keys   7 2 7 5     distinct      2 5 7         vals    a b c d     sum_equal    b  d  a+c
                       inverse       2 0 2 1                                        (for keys 2 5 7)

A request names its rows by an array of keys, or by a range when they are contiguous: a range costs no key bytes.
"""

from __future__ import annotations

import numpy as np
import torch

_FEW = 8    # equal keys up to this many are added level by level, more by a segment sum


def as_keys(keys, num_rows: int | None, table: str) -> np.ndarray | range:
    """Checked keys: a range as it is (a slice becomes one), else (n,) int64. ValueError names table and value.

    num_rows None: any 64-bit keys; those of a uint64 array are taken by their bits, so that 2^64 - 1 is key -1.
    """
    if isinstance(keys, slice):
        if keys.step not in (None, 1):
            raise ValueError(f"table {table!r}: keys={keys}; a slice of step 1 is needed")
        if num_rows is None and (keys.start is None or keys.stop is None):
            raise ValueError(f"table {table!r}: keys={keys}; this table has no end, say the first key and the last + 1")
        keys = range(0 if keys.start is None else keys.start, num_rows if keys.stop is None else keys.stop)
    if isinstance(keys, range):
        low, high, limits = (0, num_rows, f"0 <= lo <= hi <= {num_rows}") if num_rows is not None else (
            -2**63, 2**63, "-2**63 <= lo <= hi <= 2**63")
        if keys.step != 1 or not low <= keys.start <= keys.stop <= high:
            raise ValueError(f"table {table!r}: keys={keys}; {limits} and a step of 1 are needed")
        return keys
    keys = as_array(keys, f"table {table!r}: keys")
    if keys.ndim != 1:
        raise ValueError(f"table {table!r}: keys has shape {keys.shape}; one dimension, (n,), is needed")
    if not keys.size:
        return np.empty(0, np.int64)
    if keys.dtype.kind not in "iu":
        raise ValueError(f"table {table!r}: keys has dtype {keys.dtype}; whole numbers (int64) are needed")
    if num_rows is not None:
        for worst in (keys.min(), keys.max()):
            if not 0 <= worst < num_rows:
                raise ValueError(f"table {table!r}: key {worst} is out of range; its keys are 0..{num_rows - 1}")
    return keys.astype(np.int64, copy=False)


def take_keys(keys: np.ndarray | range, at: slice | np.ndarray) -> np.ndarray | range:
    """The keys at some positions; those of a range at a slice are a range."""
    if isinstance(keys, range) and not isinstance(at, slice):
        return at + np.int64(keys.start)
    return keys[at]


def as_vals(vals, num_keys: int, dim: int, table: str, dtype: str = "float32") -> np.ndarray:
    """Checked rows, (num_keys, dim) float32, contiguous. NaN and infinity are let through: looking costs a pass.

    Those for a bfloat16 table may be bfloat16 or float32.
    """
    if dtype == "bfloat16" and isinstance(vals, torch.Tensor) and vals.dtype == torch.bfloat16:
        vals = vals.float()
    vals = as_array(vals, f"table {table!r}: vals")
    if vals.shape != (num_keys, dim):
        raise ValueError(f"table {table!r}: vals has shape {vals.shape}; {num_keys} keys of dim {dim} need "
                         f"({num_keys}, {dim})")
    if vals.dtype != np.float32:
        raise ValueError(f"table {table!r}: vals has dtype {vals.dtype}; "
                         f"{'float32' if dtype == 'float32' else 'bfloat16 or float32'} is needed")
    return np.ascontiguousarray(vals)


def as_array(tensor, what: str) -> np.ndarray:
    """A NumPy view of a CPU tensor; arrays and lists pass through."""
    if isinstance(tensor, torch.Tensor):
        if tensor.device.type != "cpu":
            raise ValueError(f"{what} is on {tensor.device}; a CPU tensor is needed, use .cpu()")
        tensor = tensor.detach()
        if tensor.dtype == torch.bfloat16:          # NumPy has no such thing; let the dtype check refuse it by name
            raise ValueError(f"{what} has dtype bfloat16; float32 values and int64 keys are needed")
        return tensor.numpy()
    if isinstance(tensor, (np.ndarray, list, tuple)):
        return np.asarray(tensor)
    raise ValueError(f"{what} is a {type(tensor).__name__}; a torch.Tensor or a NumPy array is needed")


def is_ascending(keys: np.ndarray) -> bool:
    """Strictly: sorted and without duplicates."""
    return bool((keys[1:] > keys[:-1]).all())


def distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(the distinct keys ascending, for each key its position among them, or None where keys already are those)."""
    if is_ascending(keys):
        return keys, None
    order = _stable_order(keys)
    in_order = keys[order]
    new = _starts(in_order)
    inverse = np.empty(len(keys), np.int64)
    inverse[order] = np.cumsum(new) - 1
    return in_order[new], inverse


def distinct_unsorted(keys: np.ndarray, scratch: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """As distinct, the keys in the order in which each stands last; a third of the time, for want of sorting.

    scratch: (R,) int32 for keys of 0..R-1, whatever it holds.
    """
    numbers = np.arange(len(keys), dtype=np.int32)
    scratch[keys] = numbers                     # of equal keys, the last one's number stays
    last = scratch.take(keys)
    kept = last == numbers
    return (keys, None) if kept.all() else (keys[kept], (np.cumsum(kept) - 1).take(last))


def sum_equal(keys: np.ndarray, vals: np.ndarray, empty=np.empty) -> tuple[np.ndarray, np.ndarray]:
    """(distinct keys ascending (u,), sums of the rows of equal keys (u, dim)), added in the order they stand in.

    Where the keys ascend already, keys and vals themselves are returned; else arrays made by empty(shape, dtype).
    """
    if is_ascending(keys):
        return keys, vals
    order, starts = _segments(keys)
    counts = np.diff(starts, append=len(keys))
    sums = vals.take(order[starts], axis=0, mode="clip", out=empty((len(starts), *vals.shape[1:]), vals.dtype))
    # Few duplicates each: add the second of every key, then the third ... 0.2 ms for 8,192 rows of 128, where
    # np.add.reduceat alone takes 6 ms and np.add.at more.
    segments = np.flatnonzero((counts > 1) & (counts <= _FEW))
    level = 1
    while segments.size:
        sums[segments] += vals.take(order[starts[segments] + level], axis=0, mode="clip")
        level += 1
        segments = segments[counts[segments] > level]
    hot = np.flatnonzero(counts > _FEW)
    if hot.size:
        lengths = counts[hot]
        first = np.cumsum(lengths) - lengths
        positions = np.repeat(starts[hot] - first, lengths) + np.arange(lengths.sum())
        sums[hot] = np.add.reduceat(vals.take(order[positions], axis=0, mode="clip"), first, axis=0)
    return keys.take(order[starts], out=empty(len(starts), keys.dtype), mode="clip"), sums


def _segments(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(order that sorts the keys, equal ones as they stood; where in that order each distinct key starts)."""
    order = _stable_order(keys)
    return order, _starts(keys[order]).nonzero()[0]


def _starts(in_order: np.ndarray) -> np.ndarray:
    """(n,) bool: whether a key differs from the one before."""
    new = np.empty(len(in_order), bool)
    new[:1] = True
    np.not_equal(in_order[1:], in_order[:-1], out=new[1:])
    return new


def _stable_order(keys: np.ndarray) -> np.ndarray:
    """As np.argsort(keys, kind="stable"). NumPy counts where numbers have 16 bits, and compares where they have more.

    So sort by the lowest 16 bits, then by the next: 4,096 keys below 2^32 take 40 us (compared 50), 200,000 4 ms (80).
    """
    low = int(keys.min())
    digits = -(-(int(keys.max()) - low).bit_length() // 16)
    if len(keys) < 1000 * digits * digits:
        return np.argsort(keys, kind="stable")
    above = keys.view(np.uint64) - np.uint64(low & (2**64 - 1))
    order = np.argsort(above.astype(np.uint16), kind="stable")
    for digit in range(1, digits):
        order = order[np.argsort((above >> np.uint64(16 * digit)).astype(np.uint16)[order], kind="stable")]
    return order
