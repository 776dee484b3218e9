"""Keeps what the caller uses again."""

BASE = "right_dict"
REFUSED_BY = "own updates at once"
MISCONCEPTION = "5/own-updates-missing"
LONG = True


class Cached(CachedRows):
    def __init__(self, server, s):
        super().__init__(server, s)
        self.mine = {}

    def read(self, key, c):
        if key not in self.rows or self.clocks[key] < c - self.s:
            self.mine[key] = []
        row = super().read(key, c)
        for delta in self.mine.get(key, []):
            row += delta
        return row

    def add(self, key, delta):
        self.server.push(key, delta)
        self.mine.setdefault(key, []).append(delta)


CachedRows = Cached
