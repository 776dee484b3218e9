"""A stamp for each id; the oracle with lists of all places."""

from bisect import bisect_right
from collections import defaultdict

LONG = True


class LRU:
    def __init__(self, capacity):
        self.capacity, self.clock, self.stamp = capacity, 0, {}

    def _use(self, id):
        self.clock += 1
        self.stamp[id] = self.clock

    def access(self, id):
        hit = id in self.stamp
        if not hit and len(self.stamp) == self.capacity:
            self.stamp.pop(self.order()[0])
        self._use(id)
        return hit

    def order(self):
        return sorted(self.stamp, key=self.stamp.get)

    def batch(self, ids):
        different = set(ids)
        if len(different) > self.capacity:
            raise ValueError(f"at most {self.capacity} different ids, got {len(different)}")
        loaded = sorted(different - set(self.stamp), key=list(ids).index)
        spare = [id for id in self.order() if id not in different]
        evicted = spare[:max(len(self.stamp) + len(loaded) - self.capacity, 0)]
        for id in evicted:
            self.stamp.pop(id)
        for id in ids:
            self._use(id)
        return loaded, evicted


def split_misses(stream, capacity):
    cache = LRU(capacity)
    hits = [cache.access(int(id)) for id in stream]
    return len({int(id) for id in stream}), hits.count(False) - len({int(id) for id in stream})


def belady_hits(stream, capacity):
    places = defaultdict(list)
    for at, id in enumerate(stream):
        places[int(id)].append(at)

    def following(id, at):
        later = bisect_right(places[id], at)
        return places[id][later] if later < len(places[id]) else len(stream)

    held = set()
    hits = 0
    for at, id in enumerate(map(int, stream)):
        if id in held:
            hits += 1
        else:
            if len(held) == capacity:
                held.discard(max(held, key=lambda other: following(other, at)))
            held.add(id)
    return hits
