"""LFU."""

BASE = "right_dict"
REFUSED_BY = "hits, id by id"
MISCONCEPTION = "7/least-frequent-goes"
LONG = True


class Other(LRU):
    def __init__(self, capacity):
        super().__init__(capacity)
        self.times = Counter()

    def access(self, id):
        self.times[id] += 1
        hit = self.held.pop(id, False)
        if not hit and len(self.held) == self.capacity:
            del self.held[min(self.held, key=self.times.get)]
        self.held[id] = True
        return hit


LRU = Other
