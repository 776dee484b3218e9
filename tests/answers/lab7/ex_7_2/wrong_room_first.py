"""Makes room before it looks."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/eviction-before-use"
LONG = True


class Other(LRU):
    def access(self, id):
        if len(self.held) == self.capacity:
            del self.held[next(iter(self.held))]
        hit = id in self.held
        self.held.pop(id, None)
        self.held[id] = True
        return hit


LRU = Other
