"""An own update renews the copy."""

BASE = "right_dict"
REFUSED_BY = "pulls of a hot row in 64 clocks"
MISCONCEPTION = "5/own-update-is-news"
LONG = True


class Cached(CachedRows):
    def read(self, key, c):
        self.c = c
        return super().read(key, c)

    def add(self, key, delta):
        super().add(key, delta)
        if key in self.clocks:
            self.clocks[key] = self.c


CachedRows = Cached
