"""As recent as the first place."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-by-first-place"
LONG = True


class Other(LRU):
    def batch(self, ids):
        return LRU.__mro__[1].batch(self, list(dict.fromkeys(ids)))


LRU = Other
