"""Key caching: a list of keys that the other end knows travels as 8 bytes.

    pull  2 5 7    ──> keys 2 5 7   both ends remember the list under its hash
    push  2 5 7 g  ──> hash g       24 bytes of keys became 8
    next batch     ──> keys 3 5 9   another list, remembered too

A worker pulls and pushes the same rows in a step, so that even with another batch each time every second list is known;
where batches repeat, all are. With n keys of 8 bytes and values of b bytes a row, a letter of 8n + bn bytes becomes one
of 8 + bn: half at b = 8 (two float32, or one double), a third at b = 16, a tenth at b = 72; and at b = 4, a single
float32 as in logistic regression, two thirds are saved.

A server that does not know a hash asks for the list. Until it comes it holds back what that worker sends after, so that
letters are dealt with in the order in which they were sent. (Li et al. 2014, section 3.6.)
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from .base import Filter

MOST = 64       # lists that a server remembers for one worker and table, whatever a letter asks for


@dataclass(frozen=True)
class KeyCaching(Filter):
    """Remember the last `lists` lists of keys of each server and table, at both ends (8 bytes a key and list there)."""

    lists: int = 4

    def __post_init__(self):
        if isinstance(self.lists, bool) or not isinstance(self.lists, int) or not 1 <= self.lists <= MOST:
            raise ValueError(f"lists={self.lists!r}; a whole number from 1 to {MOST} is needed")


class KeyLists:
    """The most recently used lists of keys by their hash, at most `capacity`, which may be set anew at any time."""

    def __init__(self):
        self._lists: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, digest: int) -> np.ndarray | None:
        """The list of this hash, which is the most recently used now; None when it is not here."""
        if digest in self._lists:
            self._lists.move_to_end(digest)
        return self._lists.get(digest)

    def add(self, digest: int, keys: np.ndarray, capacity: int) -> None:
        """Keep a list (its array must not change any more); the least recently used ones leave."""
        self._lists[digest] = keys
        self._lists.move_to_end(digest)
        while len(self._lists) > capacity:
            self._lists.popitem(last=False)


def digest_of(keys: np.ndarray) -> int:
    """64 bits that stand for a list of keys, its order included; as an int64."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(keys), digest_size=8).digest(), "little", signed=True)
