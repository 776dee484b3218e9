"""Rows of coming batches on their way while this batch is computed with.

    thread     hold 1  fetch 1 │ hold 2  fetch 2 │ hold 3  fetch 3 │ waits ...     at most `depth` batches ahead
    program            compute 0                 │ compute 1                │ drop 1, compute 2

    with Prefetcher(batches, lambda batch: [(table.store, batch.ids)]) as coming:
        for batch in coming:
            rows = table.lookup(batch.ids)          # here already
            table.update(batch.ids, gradients)

A batch's rows stay in the fast tier from the moment they are read until the next batch is asked for. The values are
those of a run without prefetching, bit for bit (holding.py says why).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from .store import as_array, whole
from .tiered import TieredStore


class Prefetcher:
    """Iterates over `batches`, whose rows a thread brings into their fast stores ahead of time.

    wants(batch): pairs of a TieredStore and the ids (n,), repeated ones too, that the batch will look up there. depth:
    how many batches the thread is ahead of the one in use; where so many do not fit into a store it is fewer. Both
    `batches` and wants are called in the thread. What goes wrong there is raised by the next `next()`. The thread ends
    with the last batch, on close(), at the end of a `with` block, and after an error.
    """

    def __init__(self, batches: Iterable, wants: Callable, depth: int = 2):
        self.depth = whole("depth", depth)
        self._batches, self._wants = batches, wants
        self._ready: deque = deque()
        self._used: list = []                       # (store, held) of the batch in use
        self._coming: list = []                     # of the batch that the thread is at
        self._stores: set[TieredStore] = set()
        self._lock = threading.Condition()
        self._stop = self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pslab-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self):
        return self

    def __next__(self):
        self._drop(self._used)
        with self._lock:
            while not (self._ready or self._ended or self._error):
                self._lock.wait()
            if self._error is None and self._ready:
                batch, self._used = self._ready.popleft()
                self._lock.notify_all()
                return batch
            error, self._error = self._error, None
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread and let go of all rows."""
        with self._lock:
            self._stop = self._ended = True
            self._lock.notify_all()
            stores = list(self._stores)
        for store in stores:
            store.wake()
        self._thread.join()
        self._drop(self._used)
        while self._ready:
            self._drop(self._ready.popleft()[1])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # ---- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for batch in self._batches:
                if not self._bring(batch):
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised in the program's thread
            with self._lock:
                self._error = error
        finally:
            self._drop(self._coming)
            with self._lock:
                self._ended = True
                self._lock.notify_all()

    def _bring(self, batch) -> bool:
        """Hold and fetch the rows of a batch, and put it in line; False when the program wants no more."""
        by_store: dict[TieredStore, list] = {}
        for store, ids in self._wants(batch):
            if not isinstance(store, TieredStore) or not store.threads:
                raise ValueError(f"{getattr(store, 'name', store)}: rows can be prefetched into a TieredStore, over "
                                 f"stores that two threads may use at once")
            by_store.setdefault(store, []).append(as_array(ids))
        with self._lock:
            self._stores.update(by_store)
            while len(self._ready) >= self.depth and not self._stop:
                self._lock.wait()
        for store, parts in by_store.items():
            held = store.hold(np.unique(np.concatenate(parts)), give_up=lambda: self._stop)
            if held is None:
                return False
            self._coming.append((store, held))
            store.fetch(held)
        with self._lock:
            if self._stop:
                return False
            self._ready.append((batch, self._coming))
            self._coming = []
            self._lock.notify_all()
        return True

    @staticmethod
    def _drop(pairs: list) -> None:
        while pairs:
            store, held = pairs.pop()
            store.drop(held)
