"""Every read is a pull."""

BASE = "right_dict"
REFUSED_BY = "pulls of a hot row in 64 clocks"
MISCONCEPTION = "5/pulls-every-time"
LONG = True


class Cached(CachedRows):
    def read(self, key, c):
        if True:
            self.rows[key], self.clocks[key] = self.server.pull(key)
        return self.rows[key].clone()


CachedRows = Cached
