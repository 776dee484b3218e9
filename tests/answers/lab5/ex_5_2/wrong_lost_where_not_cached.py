"""Pushes only what it has read."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/update-lost"
LONG = True


class Cached(CachedRows):
    def add(self, key, delta):
        if key in self.rows:
            super().add(key, delta)


CachedRows = Cached
