"""An own update throws the copy away."""

BASE = "right_dict"
REFUSED_BY = "pulls of a hot row in 64 clocks"
MISCONCEPTION = "5/pull-without-need"
LONG = True


class Cached(CachedRows):
    def add(self, key, delta):
        self.server.push(key, delta)
        self.rows.pop(key, None)
        self.pulled_anew = True


CachedRows = Cached
