"""The cached tensor itself."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/copy-handed-out"
LONG = True


class Cached(CachedRows):
    def read(self, key, c):
        if key not in self.rows or self.clocks[key] < c - self.s:
            self.rows[key], self.clocks[key] = self.server.pull(key)
        return self.rows[key]


CachedRows = Cached
