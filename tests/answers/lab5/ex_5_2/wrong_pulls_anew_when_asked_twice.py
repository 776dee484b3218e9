"""A second read in the same iteration pulls."""

BASE = "right_dict"
REFUSED_BY = "no pull without need"
MISCONCEPTION = "5/pull-without-need"
LONG = True


class Cached(CachedRows):
    last = None

    def read(self, key, c):
        if self.last == (key, c):
            self.clocks[key] = -1
            self.last = None
            return super().read(key, c - 0)
        self.last = (key, c)
        return super().read(key, c)


CachedRows = Cached
