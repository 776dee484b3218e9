"""The copy gets a part of the own update."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/not-a-sum"
LONG = True


class Cached(CachedRows):
    def add(self, key, delta):
        self.server.push(key, delta)
        if key in self.rows:
            self.rows[key] += delta / 2


CachedRows = Cached
