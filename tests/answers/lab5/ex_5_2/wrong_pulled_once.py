"""Never again."""

BASE = "right_dict"
REFUSED_BY = "pulls of a hot row in 64 clocks"
MISCONCEPTION = "5/pulled-once"
LONG = True


class Cached(CachedRows):
    def read(self, key, c):
        if key not in self.rows:
            self.rows[key], self.clocks[key] = self.server.pull(key)
        return self.rows[key].clone()


CachedRows = Cached
