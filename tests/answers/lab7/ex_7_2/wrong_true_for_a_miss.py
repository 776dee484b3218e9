"""True means that it had to be loaded."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/hit-is-a-miss"
LONG = True


class Other(LRU):
    def access(self, id):
        return not LRU.__mro__[1].access(self, id)


LRU = Other
