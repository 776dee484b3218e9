"""What is there stays as it is."""

BASE = "right_dict"
REFUSED_BY = "a batch is pinned"
MISCONCEPTION = "7/batch-refreshes-nothing"
LONG = True


class Other(LRU):
    def batch(self, ids):
        if len(set(ids)) > self.capacity:
            raise ValueError("too many")
        missing = list(dict.fromkeys(id for id in ids if id not in self.held))
        free = [id for id in self.held if id not in ids]
        evicted = free[:max(0, len(self.held) + len(missing) - self.capacity)]
        for id in evicted:
            del self.held[id]
        for id in ids:
            if id in missing:
                self.held.pop(id, None)
                self.held[id] = True
        return missing, evicted


LRU = Other
