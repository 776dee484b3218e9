"""What lies in a stored row: the embedding's values, then its optimizer state, as a rule of pslab.ps keeps it.

    row of AdaGrad, dim 4      | v v v v | n n n n |          width 8
    row-wise AdaGrad           | v v v v | n |                width 5
    Adam                       | v v v v | m m m m | s s s s |   width 12

One read brings both and one write takes both, so that a row and its state never come apart.
"""

from __future__ import annotations

import numpy as np

from pslab.ps import Init, Rule, Zeros

from .store import whole


class RowLayout:
    """Rows of `dim` values drawn by `init`, followed by the state that `rule` keeps for a row.

    `rows(ids)` is what rows hold before anyone wrote to them; `text` says in words what that depends on, so that a
    file can tell whether it was begun alike. The rule's learning rate is no part of it.
    """

    def __init__(self, dim: int, rule: Rule, init: Init | None = None, table: str = ""):
        self.dim, self.rule, self.init, self.table = whole("dim", dim), rule, Zeros() if init is None else init, table
        for argument, value, kind in (("rule", rule, Rule), ("init", self.init, Init)):
            if not isinstance(value, kind):
                raise ValueError(f"{argument}={value!r}; a {kind.__name__} object of pslab.ps is needed")
        before = rule.new_state(1, dim)                             # (slots, 1, width of a slot)
        self.slots, self.slot_width = before.shape[0], before.shape[2]
        self.width = self.dim + self.slots * self.slot_width
        self._before = before.reshape(-1)
        first = ", ".join(f"{name} {state[0, 0]:g}" for name, state in zip(rule.state_names, before))
        self.text = f"{self.dim} values of table {table!r} by {self.init!r}" + (
            f", then {self.slot_width} each of {first}" if first else "")

    def rows(self, ids) -> np.ndarray:
        """(n, width) float32: rows before the first step. ids: (n,) int64 or a range."""
        rows = np.empty((len(ids), self.width), np.float32)
        rows[:, :self.dim] = self.init.rows(ids, self.dim, self.table)
        rows[:, self.dim:] = self._before
        return rows

    def values(self, rows: np.ndarray) -> np.ndarray:
        """(n, dim): a view of the values in rows (n, width)."""
        return rows[:, :self.dim]

    def state(self, rows: np.ndarray) -> np.ndarray:
        """(slots, n, width of a slot): a view of the state in rows (n, width), as Rule.step takes it."""
        return rows[:, self.dim:].reshape(len(rows), self.slots, self.slot_width).transpose(1, 0, 2)


class ZeroRows:
    """First values of a store that was told of none."""

    text = "zeros"

    def __init__(self, width: int):
        self.width = width

    def rows(self, ids) -> np.ndarray:
        return np.zeros((len(ids), self.width), np.float32)
