"""Evicts when it is overfull."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/one-row-more"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if len(self.held) > self.capacity:
            del self.held[next(iter(self.held))]
        self.held[id] = True
        return hit


LRU = Other
