"""Bags of ids of unequal length, laid out as TorchRec lays them out.

Three rows (B = 3), two features (F = 2); row 1 has no genre:

              row 0    row 1    row 2
    user       [7]      [2]      [7]
    genre      [0 4]    []       [5]

    keys     user        genre
    values   7  2  7     0  4  5           feature-major: all of `user`, then all of `genre`
    lengths  1  1  1     2  0  1           F·B of them: how many ids each bag holds
    offsets  0  1  2  3     5  5  6        F·B + 1: bag i is values[offsets[i]:offsets[i + 1]]

    weights  .5 1. 2.    1. 1. .1          one number per id, or none at all

Values, lengths and offsets are int64 tensors. NumPy arrays are accepted and shared without a copy. Names are
TorchRec's; what it asks by a method without arguments (`keys()`, `values()`, ...) is a property here.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from pslab.data.jagged_checks import (
    cat,
    checked_keys,
    checked_rows,
    checked_stride,
    int64,
    joined,
    joined_weights,
    lengths_of,
    offsets_of,
    one_of_lengths_and_offsets,
    refuse_negative,
    some,
    weights_of,
)
from pslab.data.jagged_one import JaggedTensor

__all__ = ["JaggedTensor", "KeyedJaggedTensor"]


class KeyedJaggedTensor:
    """The bags of F features for the same B rows, feature-major.

    keys: F different names. values: (sum of L,) int64, ids ≥ 0. lengths: (F·B,) int64, or offsets: (F·B + 1,) int64.
    weights: (sum of L,) floating, one per id, or None. stride: B; needed only without keys to derive it from.
    Raises ValueError for another dtype, a negative length or id, offsets that fall, and lengths that do not add up to
    len(values).
    """

    __slots__ = ("_keys", "_lengths", "_offsets", "_stride", "_values", "_weights")

    def __init__(self, keys: Sequence[str], values, lengths=None, *, weights=None, offsets=None,
                 stride: int | None = None):
        self._keys = checked_keys(keys)
        self._values = int64("values", values)
        self._lengths, self._offsets = one_of_lengths_and_offsets(lengths, offsets, len(self._values))
        self._stride = checked_stride(len(self._keys), len(self._lengths), stride)
        refuse_negative("values", self._values, "ids start at 0")
        self._weights = weights_of(weights, len(self._values))

    @classmethod
    def _trusted(cls, keys, values, lengths, stride, offsets=None, weights=None) -> "KeyedJaggedTensor":
        """What is built from checked parts needs no second check (a pass over all ids, at every batch)."""
        self = cls.__new__(cls)
        self._keys, self._values, self._lengths = keys, values, lengths
        self._stride, self._offsets, self._weights = stride, offsets, weights
        return self

    # ---- made from something else ----------------------------------------------------------------------------------

    @classmethod
    def from_lengths(cls, keys: Sequence[str], values, lengths, weights=None, stride=None) -> "KeyedJaggedTensor":
        """By lengths (F·B,)."""
        return cls(keys, values, lengths, weights=weights, stride=stride)

    @classmethod
    def from_offsets(cls, keys: Sequence[str], values, offsets, weights=None, stride=None) -> "KeyedJaggedTensor":
        """By offsets (F·B + 1,), from 0 to len(values), never falling.

        >>> KeyedJaggedTensor.from_offsets(["user"], [7, 2], [0, 1, 1, 2]).lengths.tolist()
        [1, 0, 1]
        """
        return cls(keys, values, weights=weights, offsets=offsets, stride=stride)

    from_lengths_sync, from_offsets_sync = from_lengths, from_offsets       # TorchRec's names

    @classmethod
    def from_jagged(cls, bags: Mapping[str, "tuple | JaggedTensor"]) -> "KeyedJaggedTensor":
        """From {key: (values, offsets)} with offsets (B + 1,) from 0 to len(values); a JaggedTensor does as well.

        >>> KeyedJaggedTensor.from_jagged({"user": ([7, 2], [0, 1, 2]), "genre": ([0, 4], [0, 2, 2])}).lengths.tolist()
        [1, 1, 2, 0]
        """
        if not bags:
            raise ValueError("bags is empty: give at least one {key: (values, offsets)}")
        values, lengths, weights = [], [], {}
        for key, bag in bags.items():
            weights[key] = getattr(bag, "weights", None)
            if isinstance(bag, JaggedTensor):
                bag = (bag.values, bag.offsets)
            ids, offsets = int64(f"values of {key!r}", bag[0]), int64(f"offsets of {key!r}", bag[1])
            values.append(ids)
            lengths.append(lengths_of(offsets, len(ids), f"offsets of {key!r}"))
        strides = {key: len(part) for key, part in zip(bags, lengths)}
        if len(set(strides.values())) > 1:
            raise ValueError(f"every key needs the same number of rows, got {strides}")
        return cls(list(bags), torch.cat(values), torch.cat(lengths), weights=joined_weights(weights))

    @classmethod
    def from_jt_dict(cls, bags: Mapping[str, JaggedTensor]) -> "KeyedJaggedTensor":
        """From {key: its bags}; what to_dict gives back."""
        return cls.from_jagged(bags)

    @classmethod
    def empty(cls, stride: int = 0) -> "KeyedJaggedTensor":
        """No features, of `stride` rows."""
        return cls([], [], [], stride=stride)

    @classmethod
    def concat(cls, parts: Sequence["KeyedJaggedTensor"]) -> "KeyedJaggedTensor":
        """The features of all parts side by side; keys differ and every part has the same number of rows B."""
        parts = some(parts)
        strides = [part._stride for part in parts]
        if len(set(strides)) > 1:
            raise ValueError(f"parts have {strides} rows: they must agree")
        weights = joined_weights({f"parts[{i}]": part._weights for i, part in enumerate(parts)
                                   if part._weights is not None or part._keys})
        return cls._trusted(checked_keys([key for part in parts for key in part._keys]),
                            cat([part._values for part in parts]), cat([part._lengths for part in parts]),
                            strides[0], weights=weights)

    @classmethod
    def concat_batches(cls, parts: Sequence["KeyedJaggedTensor"]) -> "KeyedJaggedTensor":
        """The rows of all parts under one another; every part has the same keys in the same order."""
        parts = some(parts)
        keys = parts[0]._keys
        for number, part in enumerate(parts):
            if part._keys != keys:
                raise ValueError(f"parts[{number}] has keys {part.keys}, parts[0] has {list(keys)}: they must agree")
        joined_weights({f"parts[{i}]": part._weights for i, part in enumerate(parts)})
        bags = [part[key] for key in keys for part in parts]
        weights = [bag.weights for bag in bags if bag.weights is not None]
        return cls._trusted(keys, cat([bag.values for bag in bags]), cat([bag.lengths for bag in bags]),
                            sum(part._stride for part in parts), weights=torch.cat(weights) if weights else None)

    # ---- what it holds ---------------------------------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """The F feature names."""
        return list(self._keys)

    @property
    def values(self) -> Tensor:
        """(sum of L,) int64: all ids, feature after feature, row after row."""
        return self._values

    @property
    def weights(self) -> Tensor | None:
        """(sum of L,) floating: a weight for each id, or None."""
        return self._weights

    @property
    def lengths(self) -> Tensor:
        """(F·B,) int64: ids in each bag."""
        return self._lengths

    @property
    def offsets(self) -> Tensor:
        """(F·B + 1,) int64: where each bag begins, and where the last one ends."""
        if self._offsets is None:
            self._offsets = offsets_of(self._lengths)
        return self._offsets

    @property
    def stride(self) -> int:
        """B: the number of rows."""
        return self._stride

    @property
    def length_per_key(self) -> list[int]:
        """F numbers: the ids of each feature, over all rows."""
        return np.diff(self.offset_per_key).tolist()

    @property
    def offset_per_key(self) -> list[int]:
        """F + 1 numbers: where the ids of each feature begin, and where the last one's end."""
        return self.offsets[:: self._stride].tolist() if self._stride else [0] * (len(self._keys) + 1)

    def __len__(self) -> int:
        return self._stride

    def __getitem__(self, key: str) -> JaggedTensor:
        """The bags of one feature; values, lengths and weights are views."""
        if key not in self._keys:
            raise KeyError(f"no feature {key!r}; there are {', '.join(self._keys) or 'none'}")
        first = self._keys.index(key) * self._stride
        offsets = self.offsets[first : first + self._stride + 1]
        lo, hi = int(offsets[0]), int(offsets[-1])
        weights = None if self._weights is None else self._weights[lo:hi]
        return JaggedTensor._trusted(self._values[lo:hi], self._lengths[first : first + self._stride], offsets - lo,
                                     weights)

    def to_dict(self) -> dict[str, JaggedTensor]:
        """{key: its bags}."""
        return {key: self[key] for key in self._keys}

    # ---- other features, other rows --------------------------------------------------------------------------------

    def permute(self, indices: Sequence[int]) -> "KeyedJaggedTensor":
        """The features at places `indices` in that order; some may be left out, none taken twice.

        >>> KeyedJaggedTensor(["user", "genre"], [7, 0, 4], [1, 2]).permute([1, 0]).values.tolist()
        [0, 4, 7]
        """
        indices = [int(index) for index in indices]
        wrong = [index for index in indices if not 0 <= index < len(self._keys)]
        if wrong or len(set(indices)) < len(indices):
            raise ValueError(f"indices={indices}; different numbers from 0 to {len(self._keys) - 1}, places of the "
                             "keys, are needed")
        keys = tuple(self._keys[index] for index in indices)
        bags = [self[key] for key in keys]
        weights = None if self._weights is None else cat([bag.weights for bag in bags], self._weights[:0])
        return self._trusted(keys, cat([bag.values for bag in bags]), cat([bag.lengths for bag in bags]), self._stride,
                             weights=weights)

    def split(self, segments: Sequence[int]) -> list["KeyedJaggedTensor"]:
        """One part for each number in `segments`: so many of the features, in order; values and lengths are views.

        >>> [part.keys for part in KeyedJaggedTensor(["a", "b", "c"], [], [0, 0, 0]).split([2, 0, 1])]
        [['a', 'b'], [], ['c']]
        """
        segments = [int(segment) for segment in segments]
        if any(segment < 0 for segment in segments) or sum(segments) != len(self._keys):
            raise ValueError(f"segments={segments}; numbers from 0 that add up to {len(self._keys)}, the number of "
                             "keys, are needed")
        ends, parts = [0, *accumulate(segments)], []
        for lo, hi in zip(ends, ends[1:]):
            offsets = self.offsets[lo * self._stride : hi * self._stride + 1]
            first, last = int(offsets[0]), int(offsets[-1])
            parts.append(self._trusted(
                self._keys[lo:hi], self._values[first:last], self._lengths[lo * self._stride : hi * self._stride],
                self._stride, offsets - first, None if self._weights is None else self._weights[first:last]))
        return parts

    def rows(self, lo: int, hi: int) -> "KeyedJaggedTensor":
        """Rows lo ≤ row < hi of every feature."""
        if not 0 <= lo <= hi <= self._stride:
            raise ValueError(f"rows({lo}, {hi}): need 0 <= lo <= hi <= {self._stride}, the number of rows")
        if (lo, hi) == (0, self._stride):
            return self
        offsets, lengths, values = self.offsets.numpy(), self._lengths.numpy(), self._values.numpy()
        firsts = range(0, len(lengths), self._stride)
        spans = [slice(offsets[first + lo], offsets[first + hi]) for first in firsts]
        counts = [lengths[first + lo : first + hi] for first in firsts]
        weights = self._weights
        if weights is not None and spans:
            weights = torch.cat([weights[span] for span in spans])
        return self._trusted(self._keys, joined([values[span] for span in spans]), joined(counts), hi - lo,
                             weights=weights)

    def take(self, rows) -> "KeyedJaggedTensor":
        """The given rows of every feature, in the given order; rows (n,) int64, repeats allowed."""
        rows = checked_rows(rows, self._stride)
        shape = (len(self._keys), self._stride)
        lengths = self._lengths.numpy().reshape(shape)[:, rows].reshape(-1)
        starts = self.offsets.numpy()[:-1].reshape(shape)[:, rows].reshape(-1)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # id number i of the result lies in bag j: it came from starts[j] + (i - offsets[j])
        source = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        values = self._values.numpy()[source]
        values, lengths, offsets = (torch.from_numpy(part) for part in (values, lengths, offsets))
        weights = None if self._weights is None else self._weights[torch.from_numpy(source)]
        return self._trusted(self._keys, values, lengths, len(rows), offsets, weights)

    def __eq__(self, other) -> bool:
        if not isinstance(other, KeyedJaggedTensor):
            return NotImplemented
        if self._keys != other._keys or self._stride != other._stride:
            return False
        return all(torch.equal(one, another) if isinstance(one, Tensor) and isinstance(another, Tensor)
                   else one is another
                   for one, another in ((self._lengths, other._lengths), (self._values, other._values),
                                        (self._weights, other._weights)))

    __hash__ = None

    def __repr__(self) -> str:
        weighted = ", weighted" * (self._weights is not None)
        return f"KeyedJaggedTensor(keys={self.keys}, {self._stride} rows, {len(self._values)} ids{weighted})"
