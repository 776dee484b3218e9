"""The smallest id goes."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/not-the-least-recent"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if not hit and len(self.held) == self.capacity:
            del self.held[min(self.held)]
        self.held[id] = True
        return hit


LRU = Other
