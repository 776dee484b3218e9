"""Caches written as plainly as can be, one list each, to hold the fast ones against: O(n · C) and nothing clever.

Each gives (hits, evicted): a bool for every access, and the ids that left, in order.
"""

from collections import Counter
from functools import lru_cache


def lru(stream, capacity):
    return _in_line(stream, capacity, refreshes=True)


def fifo(stream, capacity):
    return _in_line(stream, capacity, refreshes=False)


def _in_line(stream, capacity, refreshes):
    line, hits, evicted = [], [], []
    for id in stream:
        hits.append(id in line)
        if id in line:
            if refreshes:
                line.remove(id)
                line.append(id)
            continue
        if len(line) == capacity:
            evicted.append(line.pop(0))
        line.append(id)
    return hits, evicted


def clock(stream, capacity):
    """As a queue with reinsertion: who has its bit set at the head goes to the tail without it."""
    queue, bit, hits, evicted = [], {}, [], []
    for id in stream:
        hits.append(id in queue)
        if id in queue:
            bit[id] = True
            continue
        if len(queue) == capacity:
            while bit[queue[0]]:
                bit[queue[0]] = False
                queue.append(queue.pop(0))
            evicted.append(queue.pop(0))
        queue.append(id)
        bit[id] = False
    return hits, evicted


def lfu(stream, capacity):
    """Uses since it came, then the time of the last use."""
    uses, last, hits, evicted = {}, {}, [], []
    for now, id in enumerate(stream):
        hits.append(id in uses)
        if id not in uses and len(uses) == capacity:
            leaving = min(uses, key=lambda other: (uses[other], last[other]))
            evicted.append(leaving)
            del uses[leaving]
        uses[id], last[id] = uses.get(id, 0) + 1, now
    return hits, evicted


def belady(stream, capacity):
    return ahead(stream, capacity, lambda now: len(stream))


def ahead(stream, capacity, horizon):
    """Evict who is used last in stream[now + 1 : horizon(now)]; before them who is not used there, the oldest first."""
    line, hits, evicted = [], [], []                            # in the order of use
    for now, id in enumerate(stream):
        hits.append(id in line)
        if id in line:
            line.remove(id)
        elif len(line) == capacity:
            coming = list(stream[now + 1:horizon(now)])
            unused = [other for other in line if other not in coming]
            leaving = unused[0] if unused else max(line, key=coming.index)
            line.remove(leaving)
            evicted.append(leaving)
        line.append(id)
    return hits, evicted


def fewest_misses(stream, capacity):
    """Over every way to choose who leaves."""
    stream = tuple(stream)

    @lru_cache(None)
    def from_(at, here):
        if at == len(stream):
            return 0
        id = stream[at]
        if id in here:
            return from_(at + 1, here)
        if len(here) < capacity:
            return 1 + from_(at + 1, here | {id})
        return 1 + min(from_(at + 1, here - {leaving} | {id}) for leaving in here)

    return from_(0, frozenset())


def top(stream, count):
    """The most frequent ids; of equals the smaller."""
    return sorted(Counter(stream).items(), key=lambda pair: (-pair[1], pair[0]))[:count]
