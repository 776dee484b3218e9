"""A dict, in the order of use."""

from collections import Counter


class LRU:
    def __init__(self, capacity):
        self.capacity, self.held = capacity, {}

    def access(self, id):
        hit = id in self.held
        if hit:
            del self.held[id]
        elif len(self.held) == self.capacity:
            del self.held[next(iter(self.held))]
        self.held[id] = True
        return hit

    def order(self):
        return list(self.held)

    def batch(self, ids):
        need = dict.fromkeys(ids)
        if len(need) > self.capacity:
            raise ValueError(f"{len(need)} different ids, and room for {self.capacity}")
        loaded = [id for id in need if id not in self.held]
        free = [id for id in self.held if id not in need]
        evicted = free[:max(0, len(self.held) + len(loaded) - self.capacity)]
        for id in evicted:
            del self.held[id]
        for id in ids:
            self.access(id)
        return loaded, evicted


def split_misses(stream, capacity):
    cache = LRU(capacity)
    misses = sum(not cache.access(id) for id in stream.tolist())
    first = len(set(stream.tolist()))
    return first, misses - first


def next_uses(ids):
    following, seen = [], {}
    for at in range(len(ids) - 1, -1, -1):
        following.append(seen.get(ids[at], len(ids)))
        seen[ids[at]] = at
    return following[::-1]


def worst(held, left):
    """Whom the oracle evicts."""
    return max(held, key=held.get)


def belady_hits(stream, capacity):
    ids, held, hits = stream.tolist(), {}, 0
    left = Counter(ids)
    for id, following in zip(ids, next_uses(ids)):
        left[id] -= 1
        if id in held:
            hits += 1
        elif len(held) == capacity:
            del held[worst(held, left)]
        held[id] = following
    return hits
