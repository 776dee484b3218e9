"""One clock for the whole cache."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/one-age-for-all"
LONG = True


class Cached(CachedRows):
    clock = -1000

    def read(self, key, c):
        if key not in self.rows or self.clock < c - self.s:
            self.rows[key], self.clock = self.server.pull(key)
        return self.rows[key].clone()


CachedRows = Cached
