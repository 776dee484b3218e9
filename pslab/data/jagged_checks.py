"""Checks and small parts that jagged tensors share. Errors name the argument, what was given and what is allowed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def int64(name: str, given) -> Tensor:
    """A 1-d int64 tensor that shares memory with `given` where it can; anything else is refused by name."""
    if isinstance(given, Tensor):
        tensor = given
    else:
        array = given if isinstance(given, np.ndarray) else np.array(given)
        if array.size == 0 and not isinstance(given, np.ndarray):
            array = array.astype(np.int64)  # an empty list has no dtype to object to
        if array.dtype != np.int64:
            raise ValueError(f"{name} must be int64, got {array.dtype}")
        tensor = torch.from_numpy(array)
    if tensor.dtype != torch.int64:
        raise ValueError(f"{name} must be int64, got {str(tensor.dtype).removeprefix('torch.')}")
    if tensor.dim() != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {tuple(tensor.shape)}")
    return tensor


def checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise ValueError(f"keys must be a list of strings, got {keys!r}")
    twice = sorted({key for key in keys if list(keys).count(key) > 1})
    if twice:
        raise ValueError(f"keys must differ, but {', '.join(map(repr, twice))} stands there more than once")
    return tuple(keys)


def checked_stride(features: int, bags: int, stride: int | None) -> int:
    if features == 0:
        if bags or stride is None or stride < 0:
            raise ValueError(f"without keys there are no lengths, and stride says the rows; got {bags=}, {stride=}")
        return stride
    if bags % features:
        raise ValueError(f"lengths has {bags} entries, which is no multiple of the {features} keys")
    if stride is not None and stride != bags // features:
        raise ValueError(f"stride={stride}, but {bags} lengths for {features} keys make {bags // features} rows")
    return bags // features


def checked_rows(rows, stride: int) -> np.ndarray:
    rows = int64("rows", rows).numpy()
    if len(rows) and (rows.min() < 0 or rows.max() >= stride):
        raise ValueError(f"rows must lie in 0..{stride - 1}, got {int(rows.min())}..{int(rows.max())}")
    return rows


def refuse_negative(name: str, tensor: Tensor, rule: str) -> None:
    if len(tensor) and int(tensor.min()) < 0:
        where = int((tensor < 0).nonzero()[0])
        raise ValueError(f"{name} must not be negative ({rule}), got {int(tensor[where])} at position {where}")


def cat(parts: list[Tensor], none: Tensor | None = None) -> Tensor:
    """The parts one after the other; without any, `none` or no ids."""
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64) if none is None else none


def joined(parts: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts) if parts else np.empty(0, dtype=np.int64))


def brief(tensor: Tensor) -> str:
    shown = ", ".join(map(str, tensor[:4].tolist()))
    return f"[{shown}{', …' if len(tensor) > 4 else ''}] ({len(tensor)} of them)"


def some(parts: Sequence) -> list:
    """The parts as a list; ValueError when there are none."""
    parts = list(parts)
    if not parts:
        raise ValueError("parts is empty: give at least one KeyedJaggedTensor")
    return parts


def weights_of(given, count: int) -> Tensor | None:
    """A 1-d floating tensor of `count` weights that shares memory (and its graph) with `given`, or None."""
    if given is None:
        return None
    weights = given if isinstance(given, Tensor) else torch.from_numpy(np.atleast_1d(_floats(given)))
    if not weights.is_floating_point() or weights.dim() != 1:
        raise ValueError(f"weights must be one-dimensional floating-point numbers, got shape {tuple(weights.shape)} of "
                         f"{str(weights.dtype).removeprefix('torch.')}")
    if len(weights) != count:
        raise ValueError(f"weights holds {len(weights)} numbers but values holds {count}: one weight per id is needed")
    return weights


def lengths_of(offsets: Tensor, count: int, name: str = "offsets") -> Tensor:
    """The steps of offsets that run from 0 to `count` and never fall; ValueError for any others."""
    if len(offsets) == 0 or int(offsets[0]) != 0 or int(offsets[-1]) != count:
        raise ValueError(f"{name} must run from 0 to {count}, the number of its values, "
                         f"in B + 1 steps; got {brief(offsets)}")
    steps = offsets.diff()
    refuse_negative(f"steps between {name}", steps, "offsets never fall")
    return steps


def one_of_lengths_and_offsets(lengths, offsets, count: int) -> tuple[Tensor, Tensor | None]:
    """(lengths, offsets or None) from whichever was given; ValueError unless it is exactly one and fits `count` ids."""
    if (lengths is None) == (offsets is None):
        raise ValueError(f"give lengths or offsets, and only one of them; got "
                         f"{'both' if offsets is not None else 'none'}")
    if lengths is None:
        offsets = int64("offsets", offsets)
        return lengths_of(offsets, count), offsets
    lengths = int64("lengths", lengths)
    refuse_negative("lengths", lengths, "a bag holds 0 or more ids")
    total = int(lengths.sum())
    if total != count:
        raise ValueError(f"lengths add up to {total} ids but values holds {count}: "
                         "they must agree, one length per bag")
    return lengths, None


def offsets_of(lengths: Tensor) -> Tensor:
    """(B + 1,) int64: running sums of the lengths, from 0."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths.numpy(), out=offsets[1:])
    return torch.from_numpy(offsets)


def _floats(given) -> np.ndarray:
    array = given if isinstance(given, np.ndarray) else np.array(given)
    if not isinstance(given, np.ndarray) and array.dtype != object:
        array = array.astype(np.float32)        # a list of Python numbers: torch's default float
    return array

def joined_weights(weights: dict[str, Tensor | None]) -> Tensor | None:
    """The weights of all parts one after the other, None where none has any; ValueError where only some have."""
    without = [name for name, part in weights.items() if part is None]
    if not without and weights:
        return torch.cat(list(weights.values()))
    if len(without) < len(weights):
        raise ValueError(f"{', '.join(map(str, without))} has no weights but others have: all or none need them")
    return None
