"""The oldest arrival goes."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/hit-refreshes-nothing"


class Other(LRU):
    def access(self, id):
        if id in self.held:
            return True
        if len(self.held) == self.capacity:
            del self.held[next(iter(self.held))]
        self.held[id] = True
        return False


LRU = Other
