"""Evicts when it is nearly full."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/one-row-less"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if not hit and len(self.held) and len(self.held) >= self.capacity - 1:
            del self.held[next(iter(self.held))]
        if self.capacity > 1:
            self.held[id] = True
        return hit


LRU = Other
