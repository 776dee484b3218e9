"""Updates go to the server alone."""

BASE = "right_dict"
REFUSED_BY = "own updates at once"
MISCONCEPTION = "5/own-updates-missing"


class Cached(CachedRows):
    def add(self, key, delta):
        self.server.push(key, delta)


CachedRows = Cached
