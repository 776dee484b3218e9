"""FIFO: the id that came first leaves, however often it was used since.

    in first  4  9  2  7  in last        hit 9: nothing moves        miss 5:  9  2  7  5, and 4 leaves
"""

from __future__ import annotations

from .lru import InOrder


class FIFO(InOrder):
    """The id that is here for the longest time leaves; a hit changes nothing. Pinned ids keep their place in line."""

    refreshes = False

    def _hit(self, id):
        pass
