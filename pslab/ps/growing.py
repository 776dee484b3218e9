"""An array of rows that grows at its end without ever being there twice.

    in use  ▓▓▓▓▓▓▓▓▓▓▓▓▓░░      room for 1/8 more; then the memory is lengthened where it is, or moved by its pages

A list that doubles would need three times its rows while it is copied; this one never needs more than 9/8 of them. That
is realloc's doing: so no view of the array may outlive the call it was made for (where one does, NumPy notices, and the
rows are copied to a new array instead).
"""

from __future__ import annotations

import numpy as np


class Growing:
    """(n, width) rows, n rising; width 0: (n,) numbers."""

    def __init__(self, width: int, dtype, room: int = 16):
        self._tail = (width,) if width else ()
        self.all = np.zeros((room, *self._tail), dtype)         # with the room behind the rows in use
        self.size = 0

    def extend(self, count: int) -> slice:
        """Room for count rows more, of no particular values; where they are."""
        first, self.size = self.size, self.size + count
        if self.size > len(self.all):
            room = max(self.size, len(self.all) + max(len(self.all) // 8, 1024))
            try:
                self.all.resize((room, *self._tail))
            except ValueError:                                  # somebody holds a view of it
                larger = np.empty((room, *self._tail), self.all.dtype)
                larger[:first] = self.all[:first]
                self.all = larger
        return slice(first, self.size)

    def append(self, rows) -> None:
        """(n, width) rows more."""
        at = self.extend(len(rows))
        self.all[at] = rows

    @property
    def used(self) -> np.ndarray:
        """The rows in use, as a view: not to be kept."""
        return self.all[:self.size]
