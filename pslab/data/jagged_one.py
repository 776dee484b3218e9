"""The bags of one feature: ids, or rows that were looked up for them.

    values   [0 4 5]                lengths [2 0 1]      offsets [0 2 2 3]
    bags     [0 4]  []  [5]         B = 3
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from pslab.data.jagged_checks import int64, offsets_of, one_of_lengths_and_offsets, refuse_negative, weights_of


class JaggedTensor:
    """B bags: `values` (sum of L,) int64 ids or (sum of L, D) rows, `lengths` (B,) int64, `offsets` (B + 1,) int64.

    Give lengths or offsets. weights: (sum of L,) floating, one per value, or None.
    Raises ValueError for ids below 0 or of another dtype than int64, and for lengths or offsets that do not fit values.

    >>> JaggedTensor([0, 4, 5], [2, 0, 1]).to_list()
    [[0, 4], [], [5]]
    """

    __slots__ = ("lengths", "offsets", "values", "weights")

    def __init__(self, values, lengths=None, weights=None, *, offsets=None):
        self.values = _values(values)
        self.lengths, offsets = one_of_lengths_and_offsets(lengths, offsets, len(self.values))
        self.offsets = offsets_of(self.lengths) if offsets is None else offsets
        self.weights = weights_of(weights, len(self.values))

    @classmethod
    def _trusted(cls, values: Tensor, lengths: Tensor, offsets: Tensor, weights: Tensor | None = None) -> JaggedTensor:
        self = cls.__new__(cls)
        self.values, self.lengths, self.offsets, self.weights = values, lengths, offsets, weights
        return self

    @classmethod
    def from_dense(cls, bags: Sequence, weights: Sequence | None = None) -> JaggedTensor:
        """From B tensors, one per bag (weights: B tensors too); what to_dense gives back.

        >>> JaggedTensor.from_dense([torch.tensor([0, 4]), torch.tensor([], dtype=torch.int64)]).lengths.tolist()
        [2, 0]
        """
        bags = [torch.as_tensor(bag) for bag in bags]
        if not bags:
            raise ValueError("bags is empty: give at least one tensor, which may hold no id")
        lengths = [len(bag) for bag in bags]
        if weights is not None and [len(part) for part in weights] != lengths:
            raise ValueError(f"weights has bags of {[len(part) for part in weights]} numbers, bags has {lengths}")
        return cls(torch.cat(bags), lengths, None if weights is None else torch.cat([*map(torch.as_tensor, weights)]))

    def with_values(self, values: Tensor) -> JaggedTensor:
        """The same bags of other values, (sum of L,) or (sum of L, D): what a lookup of the ids gives."""
        if len(values) != len(self.values):
            raise ValueError(f"values has {len(values)} entries; these bags hold {len(self.values)}")
        return self._trusted(values, self.lengths, self.offsets, self.weights)

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        what = "ids" if self.values.dim() == 1 else f"rows of {self.values.shape[1]}"
        return f"JaggedTensor({len(self)} bags, {len(self.values)} {what}{', weighted' * (self.weights is not None)})"

    def to_list(self) -> list[list]:
        """The bags as Python lists."""
        ends, ids = self.offsets.tolist(), self.values.tolist()
        return [ids[lo:hi] for lo, hi in pairwise(ends)]

    def to_dense(self) -> list[Tensor]:
        """The bags as B tensors, views of the values."""
        return list(self.values.split(self.lengths.tolist()))

    def to_dense_weights(self) -> list[Tensor]:
        """The weights bag by bag, B tensors; ValueError without weights."""
        if self.weights is None:
            raise ValueError("these bags have no weights")
        return list(self.weights.split(self.lengths.tolist()))

    def to_padded_dense(self, desired_length: int | None = None, padding_value: float = 0) -> Tensor:
        """(B, desired_length) or (B, desired_length, D): short bags padded, long ones cut (by default none)."""
        longest = int(self.lengths.max()) if len(self) else 0
        width = longest if desired_length is None else desired_length
        if width < 0:
            raise ValueError(f"desired_length={desired_length}; 0 or more is needed")
        out = self.values.new_full((len(self), width, *self.values.shape[1:]), padding_value)
        column = torch.arange(width)
        here = column < self.lengths[:, None]
        out[here] = self.values[(self.offsets[:-1, None] + column)[here]]
        return out


def _values(given) -> Tensor:
    """Rows or floats as they are; ids checked."""
    if isinstance(given, Tensor) and given.is_floating_point() and given.dim() >= 1:
        return given
    if isinstance(given, np.ndarray) and given.dtype.kind == "f" and given.ndim >= 1:
        return torch.from_numpy(given)
    ids = int64("values", given)
    refuse_negative("values", ids, "ids start at 0")
    return ids
