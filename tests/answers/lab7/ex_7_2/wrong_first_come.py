"""Full is full."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/first-come-stays"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if hit or len(self.held) < self.capacity:
            self.held[id] = True
        return hit


LRU = Other
