"""Updates wait for the next pull."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/update-kept-back"
LONG = True


class Cached(CachedRows):
    def __init__(self, server, s):
        super().__init__(server, s)
        self.late = []

    def read(self, key, c):
        if key not in self.rows or self.clocks[key] < c - self.s:
            for k, delta in self.late:
                self.server.push(k, delta)
            self.late = []
        return super().read(key, c)

    def add(self, key, delta):
        self.late.append((key, delta.clone()))
        if key in self.rows:
            self.rows[key] += delta


CachedRows = Cached
