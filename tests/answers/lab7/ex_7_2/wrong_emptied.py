"""Full: all out."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/emptied-when-full"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        if not hit and len(self.held) == self.capacity:
            self.held.clear()
        self.held[id] = True
        return hit


LRU = Other
