"""A table that is trained where it lies: rows are looked up, gradients are applied by a rule, state beside the row.

    lookup(7 2 7)  ──distinct──> store.read(2, 7) ──> rows for 7 2 7
    update(7 2 7, g) ──sums of equal ids──> store.change(2, 7): rule.step on values and state

The store may be RAM, a file, or tiers of both: the values are the same bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch

from .layout import RowLayout
from .store import RowStore, as_array


class TieredTable:
    """Rows of `layout` in `store`. One `update` is one step of the rule; their number, t, is kept with the rows."""

    def __init__(self, store: RowStore, layout: RowLayout):
        if store.width != layout.width:
            raise ValueError(f"store holds rows of width {store.width}; {layout.text} take {layout.width}")
        self.store, self.layout = store, layout

    @property
    def num_rows(self) -> int:
        return self.store.num_rows

    def lookup(self, ids) -> torch.Tensor:
        """(L, dim) rows of ids (L,), which may repeat, on the device of the store's fastest tier."""
        distinct, inverse = self._distinct(ids)
        rows = self.store.tensor(distinct)
        return rows[:, :self.layout.dim].index_select(0, inverse.to(rows.device))

    def update(self, ids, grads) -> None:
        """One step for the rows of ids (L,) by grads (L, dim) float32, those of equal ids summed first.

        An id out of range, or a disk that is full: an error, and no row was changed.
        """
        distinct, inverse = self._distinct(ids)
        grads = torch.as_tensor(grads).detach().cpu()
        if grads.shape != (len(inverse), self.layout.dim) or grads.dtype != torch.float32:
            raise ValueError(f"grads is {str(grads.dtype)[6:]}{list(grads.shape)}; float32[{len(inverse)}, "
                             f"{self.layout.dim}] is needed for {len(inverse)} ids")
        self.update_distinct(distinct, sum_rows(grads, inverse, len(distinct)))

    def update_distinct(self, ids: np.ndarray, grads: torch.Tensor) -> None:
        """As update, for ids (n,) that are distinct; grads (n, dim) is scratch afterwards."""
        layout, t = self.layout, self.store.steps + 1

        def step(rows):
            layout.rule.step(layout.values(rows), grads.numpy(), layout.state(rows), t)

        self.store.change(ids, step)
        self.store.steps = t

    def values(self, ids) -> np.ndarray:
        """(n, dim) float32 values of rows ids (n,), distinct, without using them."""
        return np.ascontiguousarray(self.layout.values(self.store.peek(ids)))

    def state(self, ids) -> np.ndarray:
        """(slots, n, width of a slot) float32: the optimizer's state of these rows, without using them."""
        return np.ascontiguousarray(self.layout.state(self.store.peek(ids)))

    def flush(self) -> None:
        """All rows to the store's lowest tier."""
        self.store.flush()

    def close(self) -> None:
        self.store.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.store.__exit__(*error)

    def _distinct(self, ids) -> tuple[np.ndarray, torch.Tensor]:
        ids = as_array(ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(f"ids is {ids.dtype}{list(ids.shape)}; whole numbers in one dimension are needed")
        distinct, inverse = np.unique(ids.astype(np.int64, copy=False), return_inverse=True)
        return distinct, torch.from_numpy(inverse.reshape(-1))


def sum_rows(rows: torch.Tensor, which: torch.Tensor, count: int) -> torch.Tensor:
    """(count, dim): sums of rows (L, dim) by which (L,) of the results they belong to, in the order they stand in."""
    return torch.zeros(count, rows.shape[1]).index_add_(0, which, rows)
