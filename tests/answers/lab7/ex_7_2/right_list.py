"""A list, the oldest first; the oracle looks for each id in what is to come."""

import numpy as np

LONG = True


class LRU:
    def __init__(self, capacity):
        self.capacity = capacity
        self.ids = []

    def access(self, id):
        if id in self.ids:
            self.ids.remove(id)
            self.ids.append(id)
            return True
        if len(self.ids) >= self.capacity:
            self.ids.pop(0)
        self.ids.append(id)
        return False

    def order(self):
        return self.ids[:]

    def batch(self, ids):
        if len(set(ids)) > self.capacity:
            raise ValueError("too many ids at once")
        loaded, evicted = [], []
        for id in ids:
            if id not in self.ids and id not in loaded:
                loaded.append(id)
        while len(self.ids) + len(loaded) > self.capacity:
            oldest = next(id for id in self.ids if id not in ids)
            self.ids.remove(oldest)
            evicted.append(oldest)
        for id in ids:
            self.access(id)
        return (loaded, evicted)


def split_misses(stream, capacity):
    cache, seen, first, again = LRU(capacity), set(), 0, 0
    for id in stream.tolist():
        if not cache.access(id):
            first, again = first + (id not in seen), again + (id in seen)
        seen.add(id)
    return first, again


def belady_hits(stream, capacity):
    ids, held, hits = np.asarray(stream), [], 0
    for at, id in enumerate(ids.tolist()):
        if id in held:
            hits += 1
            continue
        if len(held) == capacity:
            coming = ids[at:]
            when = [int(np.argmax(coming == other)) if (coming == other).any() else 10**9 for other in held]
            held.pop(int(np.argmax(when)))
        held.append(id)
    return hits
