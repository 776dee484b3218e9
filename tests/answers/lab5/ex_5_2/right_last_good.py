"""Each copy says until when it is good; own updates make a new row instead of changing one."""

from dataclasses import dataclass

LONG = True


@dataclass(frozen=True)
class Copy:
    row: object
    good_until: int


class CachedRows:
    def __init__(self, server, s):
        self.server, self.s, self.copies = server, s, {}

    def read(self, key, c):
        copy = self.copies.get(key)
        if copy is None or c > copy.good_until:
            row, clock = self.server.pull(key)
            copy = self.copies[key] = Copy(row, clock + self.s)
        return copy.row * 1

    def add(self, key, delta):
        self.server.push(key, delta)
        if key in self.copies:
            copy = self.copies[key]
            self.copies[key] = Copy(copy.row + delta, copy.good_until)
