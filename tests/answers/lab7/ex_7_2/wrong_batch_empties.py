"""What the batch does not name goes."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-miscounted"
LONG = True


class Other(LRU):
    def batch(self, ids):
        if len(set(ids)) > self.capacity:
            raise ValueError("too many")
        evicted = [id for id in self.held if id not in ids]
        loaded = list(dict.fromkeys(id for id in ids if id not in self.held))
        for id in evicted:
            del self.held[id]
        for id in ids:
            self.access(id)
        return loaded, evicted


LRU = Other
