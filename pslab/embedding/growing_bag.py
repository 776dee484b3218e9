"""Pooled bags over a growing table, called as torch.nn.EmbeddingBag is."""

from __future__ import annotations

import numpy as np
import torch

from .compressed.bag import TrainedByStep
from .growing import GrowingTable


class GrowingBag(TrainedByStep):
    """In training every forward is a step of the table (sights counted, ids admitted, evicted), else it only reads.

    After backward(), step() updates the rows with the table's rule, the default row too if that is learned.
    """

    def __init__(self, table: GrowingTable, pooling: str = "sum", include_last_offset: bool = False):
        if not isinstance(table, GrowingTable):
            raise ValueError(f"table={table!r}; a GrowingTable is needed")
        super().__init__(None, table.dim, pooling, include_last_offset)
        self.table = table

    def _rows(self, ids, counts):
        if not self.training:
            return torch.from_numpy(self.table.read(ids))
        return self.leaf(ids, torch.from_numpy(self.table.lookup(ids, counts)))

    def update(self, ids, grads) -> None:
        """See GrowingTable.update."""
        self.table.update(ids, grads)

    def bytes(self) -> int:
        """See GrowingTable.bytes."""
        return self.table.bytes()

    def get_extra_state(self) -> dict:
        """The table's state, so that state_dict() of a model holds it, and torch.load reads it back."""
        return _each(self.table.state_dict(), lambda x: torch.from_numpy(x) if isinstance(x, np.ndarray) else x)

    def set_extra_state(self, state: dict) -> None:
        self.table.load_state_dict(_each(state, lambda x: x.numpy() if isinstance(x, torch.Tensor) else x))


def _each(state: dict, change) -> dict:
    """Every value changed, in dictionaries inside as well."""
    return {key: _each(value, change) if isinstance(value, dict) else change(value) for key, value in state.items()}
