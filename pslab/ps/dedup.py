"""Which of one sender's numbered letters were recorded, in bounded memory: a high-water mark and a small window.

    numbers seen   1 2 3 4 5 . 7 . 9        mark = 5, above = {7, 9}: 6 and 8 are still on their way
                           ^mark
    6 comes        1 2 3 4 5 6 7 . 9        mark = 7, above = {9}

A letter that comes again is known by its number, a sender that starts again by a higher incarnation: it counts from 1
anew. A set of all numbers would do the same and grow for ever.
"""

from __future__ import annotations


class Seen:
    """The letters seen of one sender, numbered 1, 2, 3, ...; at most WINDOW are remembered above the mark."""

    WINDOW = 4096

    def __init__(self):
        self.incarnation, self.mark, self.above = 0, 0, set()

    def is_repeat(self, incarnation: int, number: int) -> bool:
        return incarnation == self.incarnation and (number <= self.mark or number in self.above)

    def fits(self, incarnation: int, number: int) -> bool:
        """Whether the number lies within the window above the mark."""
        mark = self.mark if incarnation == self.incarnation else 0
        return number <= mark + self.WINDOW

    def has_all(self, incarnation: int, number: int) -> bool:
        """Whether every letter up to `number` was seen."""
        return number <= (self.mark if incarnation == self.incarnation else 0)

    def note(self, incarnation: int, number: int) -> None:
        if incarnation > self.incarnation:
            self.incarnation, self.mark, self.above = incarnation, 0, set()
        if number == self.mark + 1 and not self.above:      # mostly
            self.mark = number
            return
        self.above.add(number)
        while self.mark + 1 in self.above:
            self.mark += 1
            self.above.remove(self.mark)
