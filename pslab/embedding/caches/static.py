"""StaticTopK: ids chosen once, loaded before the first access, which never leave.

    ids  3  8  1        hit: one of these        miss: any other, each time; nothing is loaded, nobody leaves

With the ids that the same stream uses most it is the best that a fixed choice can do ("hindsight top-k"), on a stream
whose favourites do not change. It is no bound for a cache that adapts.
"""

from __future__ import annotations

import numpy as np

from .base import Cache, as_ids


class StaticTopK(Cache):
    """Just `ids` (k distinct ones), in slots 0..k-1. Their loading is no miss: it is preload_bytes, k × row_bytes."""

    def __init__(self, ids, row_bytes: int = 0):
        ids = as_ids(ids).tolist()
        if not ids or len(set(ids)) < len(ids):
            raise ValueError(f"ids holds {len(ids)} ids, {len(set(ids))} of them distinct; at least one, each once, is "
                             f"needed")
        super().__init__(len(ids), row_bytes)
        self._slots = {id: slot for slot, id in enumerate(ids)}
        self.preload_bytes = len(ids) * self.row_bytes

    @classmethod
    def of_stream(cls, stream, count: int, row_bytes: int = 0) -> StaticTopK:
        """The `count` ids that are most often in the stream; of equals those with the smaller id."""
        ids, uses = np.unique(as_ids(stream), return_counts=True)
        return cls(ids[np.argsort(-uses, kind="stable")[:count]], row_bytes)

    def access_all(self, ids) -> np.ndarray:
        ids = as_ids(ids)
        hits = np.isin(ids, np.fromiter(self._slots, np.int64))
        missed = ids[~hits]
        self._count_misses(missed, len(ids), len(missed))
        return hits

    def _hit(self, id):
        pass

    def _admits(self, id):
        return False

    def _leave(self, count, keep):
        return []
