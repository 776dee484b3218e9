"""Good for one iteration more."""

BASE = "right_dict"
REFUSED_BY = "pulls of a hot row in 64 clocks"
MISCONCEPTION = "5/kept-one-too-long"


class Cached(CachedRows):
    def read(self, key, c):
        if key not in self.rows or self.clocks[key] < c - self.s - 1:
            self.rows[key], self.clocks[key] = self.server.pull(key)
        return self.rows[key].clone()


CachedRows = Cached
