"""How often, and not whether."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "all/bad-value"
LONG = True


class Other(LRU):
    def access(self, id):
        self.held[id] = hit = self.held.pop(id, 0) + 1
        return str(hit)


LRU = Other
