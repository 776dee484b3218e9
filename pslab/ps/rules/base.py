"""What a summed gradient does to the rows it belongs to.

    step(rows, grads, state, t)      rows (n, dim)  grads (n, dim)  state (slots, n, width), all float32, in place

A rule treats every row by itself: the server may cut a step into blocks of rows, in any order, and takes *one* step for
the summed gradients of equal ids (FBGEMM calls that exact). Rows that nobody pushed are not touched, nor is their
state: a rule with a memory (momentum, Adam) is *lazy*, its memory of a row does not fade while the row gets no
gradient. Where every row is pushed in every round that is the same as the textbook's rule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real

import numpy as np


class Rule(ABC):
    """An update rule. `slots` is the number of arrays of state it keeps beside the rows, `state_names` their names."""

    slots: int = 0
    scratches: bool = True                  # whether a step writes into its grads

    @property
    def state_names(self) -> tuple[str, ...]:
        """A name for each slot, as an export of the table calls them."""
        return tuple(f"slot{i}" for i in range(self.slots))

    def state_width(self, dim: int) -> int:
        """float32 values that a slot keeps for a row of dim values: dim, or fewer where the whole row shares one."""
        return dim

    def new_state(self, num_rows: int, dim: int) -> np.ndarray:
        """State before the first step: (slots, num_rows, state_width(dim)) float32."""
        return np.zeros((self.slots, num_rows, self.state_width(dim)), np.float32)

    @abstractmethod
    def step(self, rows: np.ndarray, grads: np.ndarray, state: np.ndarray, t: int) -> None:
        """One step for n distinct rows; grads is scratch afterwards (read-only for a rule that says scratches = False).

        t counts from 1. In rounds (BSP) it is round + 1, the same on every server; else the number of steps that this
        server has taken in the table, so that it depends on how many servers there are.
        """


def check(name: str, value: float, below: float = float("inf"), above_0: bool = False) -> None:
    """ValueError unless value is a number from 0 (above_0: beyond 0) and less than `below`."""
    low = isinstance(value, Real) and not isinstance(value, bool) and (value > 0 if above_0 else value >= 0)
    if not low or not value < below:
        limits = f"{'above 0' if above_0 else 'from 0'} and below {below:g}" if below < float("inf") else (
            "a finite number above 0" if above_0 else "0 or a finite number above")
        raise ValueError(f"{name}={value!r}; {limits} is needed")
