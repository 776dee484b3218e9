"""Room for all."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/never-evicts"
LONG = True


class Other(LRU):
    def access(self, id):
        hit = self.held.pop(id, False)
        self.held[id] = True
        return hit


LRU = Other
