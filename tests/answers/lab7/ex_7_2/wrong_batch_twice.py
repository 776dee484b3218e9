"""Loads for each place."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-loads-twice"
LONG = True


class Other(LRU):
    def batch(self, ids):
        if len(set(ids)) > self.capacity:
            raise ValueError("too many")
        missing = [id for id in ids if id not in self.held]
        return missing, LRU.__mro__[1].batch(self, ids)[1]


LRU = Other
