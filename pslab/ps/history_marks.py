"""Values that tell which pushes are in them: every push adds a power of 8 of its own, and sums are read digit by digit.

    worker 0 pushes    8^0, then 8^1, then 8^2       a row holds        8^0 + 2 * 8^2 = 0o201
    worker 1           the same, in its own column   so it has seen     push 0 once, push 1 never, push 2 twice

So whoever reads a row knows what the server did to it, whatever program the server is: nothing of it is asked but that
pushes be added up. Eight pushes fit a float32 column exactly (8^8 = 2^24); more pushes take more columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DIGITS = 8          # pushes a column: 8 ** DIGITS is 2 ** 24, up to which float32 holds every whole number
BASE = 8            # so a push may be counted up to seven times before it is taken for the next


@dataclass(frozen=True)
class Marks:
    """Marks for `workers` workers (0..K-1) with at most `pushes` pushes and sets each, of one table.

    factor: what the server does to a pushed value when it adds it: -1 for SGD(1.0), where row -= value; 1 for a server
    that adds. Rows must begin as zeros, and a row is `dim` values wide.
    """

    workers: int
    pushes: int
    factor: float = -1.0

    @property
    def dim(self) -> int:
        return self.workers * self._columns

    def vals(self, worker: int, number: int, num_keys: int) -> np.ndarray:
        """What push `number` (from 0) of a worker sends for each of its keys: (num_keys, dim) float32."""
        return self.row(worker, number, num_keys) / np.float32(self.factor)

    def row(self, worker: int, number: int, num_keys: int = 1) -> np.ndarray:
        """What that write adds to a row, and what a `set` of this number writes: (num_keys, dim) float32."""
        if not (0 <= worker < self.workers and 0 <= number < self.pushes):
            raise ValueError(f"write {number} of worker {worker}; these are marks for workers 0..{self.workers - 1} "
                             f"with {self.pushes} writes each")
        rows = np.zeros((num_keys, self.dim), np.float32)
        rows[:, worker * self._columns + number // DIGITS] = BASE ** (number % DIGITS)
        return rows

    def read(self, row) -> dict[tuple[int, int], int]:
        """{(worker, number): how often it is in there} of a row (dim,).

        ValueError for a row that no pushes add up to.
        """
        row = np.asarray(row, np.float64)
        if row.shape != (self.dim,):
            raise ValueError(f"a row of shape {row.shape}; these marks are ({self.dim},)")
        seen = {}
        for column in np.flatnonzero(row):
            value = row[column]
            if not (0 < value < BASE**DIGITS and value == int(value)):
                raise ValueError(f"{value:g} in column {column}, which no pushes add up to")
            worker, part = divmod(int(column), self._columns)
            for digit in range(DIGITS):
                times = int(value) // BASE**digit % BASE
                if times:
                    seen[worker, part * DIGITS + digit] = times
        return seen

    @property
    def _columns(self) -> int:
        return -(-self.pushes // DIGITS)
