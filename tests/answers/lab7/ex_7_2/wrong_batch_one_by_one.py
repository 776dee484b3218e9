"""A batch is one access after the other."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-not-pinned"


class Other(LRU):
    def batch(self, ids):
        if len(set(ids)) > self.capacity:
            raise ValueError("too many")
        loaded, evicted = [], []
        for id in ids:
            full = [] if id in self.held or len(self.held) < self.capacity else [next(iter(self.held))]
            evicted += full
            if not self.access(id):
                loaded.append(id)
        return loaded, evicted


LRU = Other
