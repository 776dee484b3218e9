"""Where two values differ, in words: None when they are equal, else 'element 3 is 12, expected 14'."""

from __future__ import annotations

import cmath
import numbers
from collections.abc import Mapping

import numpy as np
import torch


def difference(seen, expected, *, rtol: float = 0.0, atol: float = 0.0) -> str | None:
    """The first difference between what came back and what was expected; None when there is none.

    Tensors and arrays count as equal kinds, and so do lists and tuples; a tensor's dtype is not compared, its shape is.
    rtol, atol: |seen − expected| ≤ atol + rtol·|expected|; 0 means equal bit for bit (and NaN equals NaN).
    """
    if isinstance(expected, (torch.Tensor, np.ndarray)):
        return _arrays(seen, _array(expected), rtol, atol)
    if isinstance(expected, Mapping):
        return _mappings(seen, expected, rtol, atol)
    if isinstance(expected, (list, tuple)):
        return _sequences(seen, expected, rtol, atol)
    if isinstance(expected, bool) or expected is None or isinstance(expected, str):
        same = seen == expected if type(seen) in (type(expected), np.bool_) else False
        return None if same else f"{short(seen)}, expected {short(expected)}"
    if isinstance(expected, numbers.Number):
        return _number(seen, expected, rtol, atol)
    raise TypeError(f"a judge compares with a {type(expected).__name__}; tensors, numbers, strings, lists "
                    "and dicts are known")


def short(value, most: int = 80) -> str:
    """A value on one line."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array = _array(value)
        kind = f"{type(value).__name__} of shape {tuple(array.shape)}"
        return kind if array.size > 8 else f"{kind} {_flat(array)}"
    if isinstance(value, float):
        return f"{value:.9g}"
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _arrays(seen, expected: np.ndarray, rtol, atol) -> str | None:
    if not isinstance(seen, (torch.Tensor, np.ndarray)):
        return f"{short(seen)}, expected a tensor of shape {tuple(expected.shape)}"
    seen = _array(seen)
    if seen.shape != expected.shape:
        return f"shape {tuple(seen.shape)}, expected {tuple(expected.shape)}"
    if not np.issubdtype(seen.dtype, np.number) and seen.dtype != bool:
        return f"elements of kind {seen.dtype}, expected numbers"
    seen64, expected64 = _wide(seen), _wide(expected)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(seen64 - expected64) <= atol + rtol * np.abs(expected64) if rtol or atol else seen64 == expected64
        near &= np.isfinite(expected64) | (seen64 == expected64)        # nothing is near infinity but itself
    if seen64.dtype.kind in "fc":
        near |= (seen64 == expected64) | (np.isnan(seen64) & np.isnan(expected64))
    wrong = np.argwhere(~near)
    if not len(wrong):
        return None
    at = tuple(int(i) for i in wrong[0])
    place = ", ".join(map(str, at)) if at else ""
    many = f" ({len(wrong):,} of {seen.size:,} elements differ)" if seen.size > 1 else ""
    return f"element {place} is {_plain(seen[at])}, expected {_plain(expected[at])}{many}"


def _mappings(seen, expected, rtol, atol) -> str | None:
    if not isinstance(seen, Mapping):
        return f"{short(seen)}, expected a dict"
    for key in expected:
        if key not in seen:
            return f"key {key!r} is missing"
        found = difference(seen[key], expected[key], rtol=rtol, atol=atol)
        if found:
            return f"key {key!r}: {found}"
    extra = [key for key in seen if key not in expected]
    return f"key {extra[0]!r} should not be there" if extra else None


def _sequences(seen, expected, rtol, atol) -> str | None:
    if not isinstance(seen, (list, tuple)):
        return f"{short(seen)}, expected {len(expected)} values"
    if len(seen) != len(expected):
        return f"{len(seen)} values, expected {len(expected)}"
    for i, (one, other) in enumerate(zip(seen, expected)):
        found = difference(one, other, rtol=rtol, atol=atol)
        if found:
            return f"value {i}: {found}"
    return None


def _number(seen, expected, rtol, atol) -> str | None:
    if isinstance(seen, (torch.Tensor, np.ndarray)) and _array(seen).size == 1:
        seen = _array(seen).reshape(-1)[0].item()
    if isinstance(seen, np.generic):
        seen = seen.item()
    if isinstance(seen, (bool, np.bool_)) or not isinstance(seen, numbers.Number):
        return f"{short(seen)}, expected the number {short(expected)}"
    if seen == expected or (seen != seen and expected != expected):
        return None
    if (rtol or atol) and cmath.isfinite(expected) and abs(seen - expected) <= atol + rtol * abs(expected):
        return None
    return f"{short(seen)}, expected {short(expected)}"


def _array(value) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach()
        if value.is_sparse:
            value = value.to_dense()
        return value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    return value


def _wide(array: np.ndarray) -> np.ndarray:
    """Wide enough that comparing is exact: whole numbers as int64, others as float64."""
    kind = array.dtype.kind
    return array.astype(np.int64 if kind in "iub" else np.complex128 if kind == "c" else np.float64)


def _flat(array: np.ndarray) -> str:
    return "[" + ", ".join(_plain(v) for v in array.reshape(-1)) + "]"


def _plain(value) -> str:
    value = value.item() if hasattr(value, "item") else value
    return f"{value:.9g}" if isinstance(value, float) else str(value)
