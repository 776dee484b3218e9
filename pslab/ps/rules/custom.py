"""A rule of the user's own: any function of rows, gradients and state.

    def clipped(rows, grads, state, t):             # arrays (n, dim), (n, dim), (slots, n, dim), float32, in place
        np.clip(grads, -1, 1, out=grads)
        state[0] += 1                               # how often each row was pushed
        rows -= 0.1 * grads

    TableConfig("t", dim=8, num_rows=100, rule=Custom(clipped, slots=1, names=("pushes",)))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .base import Rule


@dataclass(frozen=True)
class Custom(Rule):
    """function(rows, grads, state, t) changes rows and state in place, each row by itself; see Rule.step.

    slots: arrays of state beside the rows; start: what they hold before the first step; names: what an export calls
    them (default slot0, slot1, ...). The function may get any part of the rows of a push at a time, in any order. What
    it returns must be None: a new array would be lost, so it is refused.
    """

    function: Callable[[np.ndarray, np.ndarray, np.ndarray, int], None]
    slots: int = 0
    start: float = 0.0
    names: tuple[str, ...] | None = None

    def __post_init__(self):
        if not callable(self.function):
            raise ValueError(f"function={self.function!r}; a callable (rows, grads, state, t) is needed")
        if isinstance(self.slots, bool) or not isinstance(self.slots, int) or self.slots < 0:
            raise ValueError(f"slots={self.slots!r}; a whole number from 0 is needed")
        if self.names is not None and (len(self.names) != self.slots or len(set(self.names)) != self.slots):
            raise ValueError(f"names={self.names!r}; with slots={self.slots} that many different names are needed")

    @property
    def state_names(self):
        return super().state_names if self.names is None else tuple(self.names)

    def new_state(self, num_rows, dim):
        return np.full((self.slots, num_rows, self.state_width(dim)), self.start, np.float32)

    def step(self, rows, grads, state, t):
        result = self.function(rows, grads, state, t)
        if result is not None:
            name = getattr(self.function, "__name__", repr(self.function))
            raise ValueError(f"the rule {name} returned {type(result).__name__}; it must change rows in place "
                             f"(rows -= ..., rows[...] = ...) and return None")
