"""Bags of ids of unequal length, laid out as TorchRec lays them out.

Three rows (B = 3), two features (F = 2); row 1 has no genre:

              row 0    row 1    row 2
    user       [7]      [2]      [7]
    genre      [0 4]    []       [5]

    keys     user        genre
    values   7  2  7     0  4  5           feature-major: all of `user`, then all of `genre`
    lengths  1  1  1     2  0  1           F·B of them: how many ids each bag holds
    offsets  0  1  2  3     5  5  6        F·B + 1: bag i is values[offsets[i]:offsets[i + 1]]

Values, lengths and offsets are int64 tensors. NumPy arrays are accepted and shared without a copy.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


class JaggedTensor:
    """The bags of one feature: `values` (sum of L,) int64, `lengths` (B,) int64, `offsets` (B + 1,) int64.

    >>> JaggedTensor([0, 4, 5], [2, 0, 1]).to_list()
    [[0, 4], [], [5]]
    """

    def __init__(self, values, lengths):
        kjt = KeyedJaggedTensor(["values"], values, lengths)
        self.values, self.lengths, self.offsets = kjt.values, kjt.lengths, kjt.offsets

    @classmethod
    def _trusted(cls, values: Tensor, lengths: Tensor, offsets: Tensor) -> "JaggedTensor":
        self = cls.__new__(cls)
        self.values, self.lengths, self.offsets = values, lengths, offsets
        return self

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"JaggedTensor({len(self)} bags, {len(self.values)} ids)"

    def to_list(self) -> list[list[int]]:
        """The bags as Python lists."""
        ends, ids = self.offsets.tolist(), self.values.tolist()
        return [ids[lo:hi] for lo, hi in pairwise(ends)]


class KeyedJaggedTensor:
    """The bags of F features for the same B rows, feature-major.

    keys: F different names. values: (sum of L,) int64, ids ≥ 0. lengths: (F·B,) int64.
    stride: B; needed only where there are no keys to derive it from.
    Raises ValueError for another dtype, a negative length or id, and lengths that do not add up to len(values).
    """

    __slots__ = ("_keys", "_lengths", "_offsets", "_stride", "_values")

    def __init__(self, keys: Sequence[str], values, lengths, *, stride: int | None = None):
        self._keys = _checked_keys(keys)
        self._values = _int64("values", values)
        self._lengths = _int64("lengths", lengths)
        self._stride = _checked_stride(len(self._keys), len(self._lengths), stride)
        self._offsets = None
        _refuse_negative("lengths", self._lengths, "a bag holds 0 or more ids")
        _refuse_negative("values", self._values, "ids start at 0")
        if int(self._lengths.sum()) != len(self._values):
            raise ValueError(
                f"lengths add up to {int(self._lengths.sum())} ids but values holds {len(self._values)}: "
                "they must agree, one length per bag"
            )

    @classmethod
    def _trusted(cls, keys, values, lengths, stride, offsets=None) -> "KeyedJaggedTensor":
        """What is built from checked parts needs no second check (a pass over all ids, at every batch)."""
        self = cls.__new__(cls)
        self._keys, self._values, self._lengths = keys, values, lengths
        self._stride, self._offsets = stride, offsets
        return self

    @classmethod
    def from_jagged(cls, bags: Mapping[str, "tuple | JaggedTensor"]) -> "KeyedJaggedTensor":
        """From {key: (values, offsets)} with offsets (B + 1,) from 0 to len(values); a JaggedTensor does as well.

        >>> KeyedJaggedTensor.from_jagged({"user": ([7, 2], [0, 1, 2]), "genre": ([0, 4], [0, 2, 2])}).lengths.tolist()
        [1, 1, 2, 0]
        """
        if not bags:
            raise ValueError("bags is empty: give at least one {key: (values, offsets)}")
        values, lengths = [], []
        for key, bag in bags.items():
            if isinstance(bag, JaggedTensor):
                bag = (bag.values, bag.offsets)
            ids, offsets = _int64(f"values of {key!r}", bag[0]), _int64(f"offsets of {key!r}", bag[1])
            if len(offsets) == 0 or int(offsets[0]) != 0 or int(offsets[-1]) != len(ids):
                raise ValueError(
                    f"offsets of {key!r} must run from 0 to {len(ids)}, the number of its values, "
                    f"in B + 1 steps; got {_brief(offsets)}"
                )
            _refuse_negative(f"steps between offsets of {key!r}", offsets.diff(), "offsets never fall")
            values.append(ids)
            lengths.append(offsets.diff())
        strides = {key: len(part) for key, part in zip(bags, lengths)}
        if len(set(strides.values())) > 1:
            raise ValueError(f"every key needs the same number of rows, got {strides}")
        return cls(list(bags), torch.cat(values), torch.cat(lengths))

    @classmethod
    def concat_batches(cls, parts: Sequence["KeyedJaggedTensor"]) -> "KeyedJaggedTensor":
        """The rows of all parts under one another; every part has the same keys in the same order."""
        parts = list(parts)
        if not parts:
            raise ValueError("parts is empty: give at least one KeyedJaggedTensor")
        keys = parts[0]._keys
        for number, part in enumerate(parts):
            if part._keys != keys:
                raise ValueError(f"parts[{number}] has keys {part.keys}, parts[0] has {list(keys)}: they must agree")
        bags = [[part[key] for part in parts] for key in keys]
        values = [bag.values for row in bags for bag in row]
        lengths = [bag.lengths for row in bags for bag in row]
        return cls._trusted(keys, _cat(values), _cat(lengths), sum(part._stride for part in parts))

    @property
    def keys(self) -> list[str]:
        """The F feature names."""
        return list(self._keys)

    @property
    def values(self) -> Tensor:
        """(sum of L,) int64: all ids, feature after feature, row after row."""
        return self._values

    @property
    def lengths(self) -> Tensor:
        """(F·B,) int64: ids in each bag."""
        return self._lengths

    @property
    def offsets(self) -> Tensor:
        """(F·B + 1,) int64: where each bag begins, and where the last one ends."""
        if self._offsets is None:
            offsets = np.zeros(len(self._lengths) + 1, dtype=np.int64)
            np.cumsum(self._lengths.numpy(), out=offsets[1:])
            self._offsets = torch.from_numpy(offsets)
        return self._offsets

    @property
    def stride(self) -> int:
        """B: the number of rows."""
        return self._stride

    def __len__(self) -> int:
        return self._stride

    def __getitem__(self, key: str) -> JaggedTensor:
        """The bags of one feature; values and lengths are views."""
        if key not in self._keys:
            raise KeyError(f"no feature {key!r}; there are {', '.join(self._keys) or 'none'}")
        first = self._keys.index(key) * self._stride
        offsets = self.offsets[first : first + self._stride + 1]
        lo, hi = int(offsets[0]), int(offsets[-1])
        return JaggedTensor._trusted(self._values[lo:hi], self._lengths[first : first + self._stride], offsets - lo)

    def rows(self, lo: int, hi: int) -> "KeyedJaggedTensor":
        """Rows lo ≤ row < hi of every feature."""
        if not 0 <= lo <= hi <= self._stride:
            raise ValueError(f"rows({lo}, {hi}): need 0 <= lo <= hi <= {self._stride}, the number of rows")
        if (lo, hi) == (0, self._stride):
            return self
        offsets, lengths, values = self.offsets.numpy(), self._lengths.numpy(), self._values.numpy()
        firsts = [feature * self._stride for feature in range(len(self._keys))]
        ids = [values[offsets[first + lo] : offsets[first + hi]] for first in firsts]
        counts = [lengths[first + lo : first + hi] for first in firsts]
        return self._trusted(self._keys, _joined(ids), _joined(counts), hi - lo)

    def take(self, rows) -> "KeyedJaggedTensor":
        """The given rows of every feature, in the given order; rows (n,) int64, repeats allowed."""
        rows = _checked_rows(rows, self._stride)
        shape = (len(self._keys), self._stride)
        lengths = self._lengths.numpy().reshape(shape)[:, rows].reshape(-1)
        starts = self.offsets.numpy()[:-1].reshape(shape)[:, rows].reshape(-1)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # id number i of the result lies in bag j: it came from starts[j] + (i - offsets[j])
        source = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        values = self._values.numpy()[source]
        values, lengths, offsets = (torch.from_numpy(part) for part in (values, lengths, offsets))
        return self._trusted(self._keys, values, lengths, len(rows), offsets)

    def to_dict(self) -> dict[str, JaggedTensor]:
        """{key: its bags}."""
        return {key: self[key] for key in self._keys}

    def __eq__(self, other) -> bool:
        if not isinstance(other, KeyedJaggedTensor):
            return NotImplemented
        same_shape = self._keys == other._keys and self._stride == other._stride
        return same_shape and torch.equal(self._lengths, other._lengths) and torch.equal(self._values, other._values)

    __hash__ = None

    def __repr__(self) -> str:
        return f"KeyedJaggedTensor(keys={self.keys}, {self._stride} rows, {len(self._values)} ids)"


def _int64(name: str, given) -> Tensor:
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


def _checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise ValueError(f"keys must be a list of strings, got {keys!r}")
    twice = sorted({key for key in keys if list(keys).count(key) > 1})
    if twice:
        raise ValueError(f"keys must differ, but {', '.join(map(repr, twice))} stands there more than once")
    return tuple(keys)


def _checked_stride(features: int, bags: int, stride: int | None) -> int:
    if features == 0:
        if bags or stride is None or stride < 0:
            raise ValueError(f"without keys there are no lengths, and stride says the rows; got {bags=}, {stride=}")
        return stride
    if bags % features:
        raise ValueError(f"lengths has {bags} entries, which is no multiple of the {features} keys")
    if stride is not None and stride != bags // features:
        raise ValueError(f"stride={stride}, but {bags} lengths for {features} keys make {bags // features} rows")
    return bags // features


def _checked_rows(rows, stride: int) -> np.ndarray:
    rows = _int64("rows", rows).numpy()
    if len(rows) and (rows.min() < 0 or rows.max() >= stride):
        raise ValueError(f"rows must lie in 0..{stride - 1}, got {int(rows.min())}..{int(rows.max())}")
    return rows


def _refuse_negative(name: str, tensor: Tensor, rule: str) -> None:
    if len(tensor) and int(tensor.min()) < 0:
        where = int((tensor < 0).nonzero()[0])
        raise ValueError(f"{name} must not be negative ({rule}), got {int(tensor[where])} at position {where}")


def _cat(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def _joined(parts: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts) if parts else np.empty(0, dtype=np.int64))


def _brief(tensor: Tensor) -> str:
    shown = ", ".join(map(str, tensor[:4].tolist()))
    return f"[{shown}{', …' if len(tensor) > 4 else ''}] ({len(tensor)} of them)"
