"""The last one goes."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/most-recent-goes"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if not hit and len(self.held) == self.capacity:
            self.held.popitem()
        self.held[id] = True
        return hit


LRU = Other
