"""The caches of 7.2: LRU by distances, caches as often written, the oracle, and streams that tell them apart."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .lab7_common import words, zipf


def by_distance(ids, capacity: int) -> tuple[list[bool], list[list[int]]]:
    """(hits, order after each access), from how many other ids were used since: the last used stands first in
    `recent`."""
    recent, hits, orders = [], [], []
    for i in ids:
        distance = recent.index(i) if i in recent else None
        hits.append(distance is not None and distance < capacity)
        if distance is not None:
            del recent[distance]
        recent.insert(0, i)
        orders.append(recent[:capacity][::-1])
    return hits, orders


class Believed:
    """A cache as it is often written, by its slip. `held`: the next to go stands first."""

    def __init__(self, capacity: int, slip: str):
        self.slip, self.held, self.seen = slip, [], Counter()
        self.capacity = capacity + {"7/one-row-less": -1, "7/one-row-more": 1}.get(slip, 0)

    def access(self, i) -> bool:
        if self.slip == "7/eviction-before-use" and len(self.held) == self.capacity:
            self.held.pop(0)
        hit = i in self.held
        self.seen[i] += 1
        if hit:
            if self.slip != "7/hit-refreshes-nothing":
                self.held.remove(i)
                self.held.append(i)
        else:
            self._bring(i)
        return hit

    def _bring(self, i) -> None:
        full = len(self.held) >= self.capacity
        if self.slip == "7/first-come-stays" and full:
            return
        if full and self.slip == "7/emptied-when-full":
            self.held = []
        elif full and self.slip != "7/never-evicts":
            at = {"7/most-recent-goes": -1}.get(self.slip, 0)
            if self.slip == "7/least-frequent-goes":
                at = min(range(len(self.held)), key=lambda k: (self.seen[self.held[k]], k))
            if self.held:
                self.held.pop(at)
        if self.capacity:
            self.held.append(i)


SLIPS = ("7/hit-refreshes-nothing", "7/eviction-before-use", "7/one-row-less", "7/one-row-more", "7/most-recent-goes",
         "7/least-frequent-goes", "7/first-come-stays", "7/emptied-when-full", "7/never-evicts")


def believed(slip: str, ids, capacity: int) -> list[bool]:
    cache = Believed(capacity, slip)
    return [cache.access(i) for i in ids]


def split_misses(stream, capacity: int) -> tuple[int, int]:
    """(first sights, the other misses of LRU). The reference."""
    misses = by_distance(stream.tolist(), capacity)[0].count(False)
    return len(np.unique(stream)), misses - len(np.unique(stream))


def next_use(ids: list) -> list[int]:
    """For each place, the next place with the same id; past the end where there is none."""
    after, last = [len(ids)] * len(ids), {}
    for at in range(len(ids) - 1, -1, -1):
        after[at] = last.get(ids[at], len(ids) + ids[at])        # two that never come again: any order
        last[ids[at]] = at
    return after


def belady_hits(stream, capacity: int, slip: str = "") -> int:
    """Most hits of any cache that takes in what it misses. The reference, or with a slip another one."""
    ids = stream.tolist()
    after, held, hits = next_use(ids), {}, 0
    left = Counter(ids)
    for at, i in enumerate(ids):
        left[i] -= 1
        hits += i in held
        if i not in held and len(held) == capacity:
            if slip == "7/oracle-may-refuse" and after[at] > max(held.values()):
                continue
            pick = {"7/soonest-goes": lambda k: -held[k], "7/fewest-to-come": lambda k: -left[k]}.get(slip, held.get)
            del held[max(held, key=pick)]
        held[i] = after[at]
    return hits


def top_hits(stream, capacity: int) -> int:
    return sum(count for _, count in Counter(stream.tolist()).most_common(capacity))


# ---- streams --------------------------------------------------------------------------------------------------------


def short_streams(rng) -> dict[str, tuple[int, np.ndarray]]:
    """{label: (capacity, ids)}: one by hand, where hits have to refresh, one id, a loop, everything fits, Zipf."""
    return {
        "by hand": (3, np.array([1, 2, 3, 1, 4, 2, 1, 5, 1, 3, 4, 1])),
        "capacity 1": (1, np.array([7, 7, 3, 7, 3, 3, 9, 9, 7])),
        "all ids fit": (6, rng.integers(0, 6, 40)),
        "a loop of capacity + 1": (5, np.tile(rng.permutation(90)[:6], 8)),
        "Zipf": (6, zipf(rng, 40, 200)),
    }


def long_streams(rng) -> dict[str, tuple[int, np.ndarray]]:
    loop = int(rng.integers(20, 60))
    return {
        "Zipf, exponent 1.2": (int(rng.integers(20, 90)), zipf(rng, 2_000, 4_000, 1.2)),
        f"a loop of {loop + 1} ids": (loop, np.tile(rng.permutation(10_000)[:loop + 1], 20)),
        "words of a manual": (int(rng.integers(30, 200)), words(int(rng.integers(60_000)), 4_000)),
        "ids above 2^40": (9, 2**40 + zipf(rng, 50, 300)),
    }
