"""As much as comes."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-too-large"
LONG = True


class Other(LRU):
    def batch(self, ids):
        try:
            return LRU.__mro__[1].batch(self, ids)
        except ValueError:
            return LRU.__mro__[1].batch(self, ids[:self.capacity])


LRU = Other
