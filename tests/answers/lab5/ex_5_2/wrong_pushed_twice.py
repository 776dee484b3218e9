"""Pushes twice, keeps once."""

BASE = "right_dict"
REFUSED_BY = "every read holds what it must"
MISCONCEPTION = "5/not-a-sum"
LONG = True


class Cached(CachedRows):
    def add(self, key, delta):
        self.server.push(key, delta)
        super().add(key, delta)


CachedRows = Cached
