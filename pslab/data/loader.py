"""A loader that keeps K workers fed: from Criteo's files, MovieLens, a synthetic log, or a Batch held in memory.

    epoch 0   rows in an order of (seed, epoch) ──> global batch 0 ── part 0, part 1, …      one part a worker
                                                    global batch 1 ── …
                                                    …
                                                    what is left over: a shorter one ("keep"), or none ("drop")

    loader = Loader(load("movielens-100k"), 2048, rank=comm.rank, world_size=comm.world_size, seed=1)
    for part, global_size in loader:                 one epoch; the next `for` is the next epoch
        trainer.step(part, global_size)

Parts are cut as Batch.shard cuts: within a global batch they differ by one row at most, so the shorter one at the end
may have no row for some worker. Every worker takes equally many steps, no row comes twice in an epoch or to two
workers, and with "keep" none is missing. Global batches depend on data, seed, epoch and batch_size, and not on K: a run
may stop with one K and go on with another.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from pslab.data.clicklog import Batch, ClickLog
from pslab.data.criteo import CriteoReader
from pslab.data.folders import DataError
from pslab.data.loader_sources import FileRows, MemoryRows, Window

AT_END = ("keep", "drop")
WINDOW_ROWS = 65_536


class Part(NamedTuple):
    """A worker's rows of a global batch, and how many rows that has over all workers."""

    batch: Batch
    global_size: int


class Loader:
    """Iterating gives the Parts of one epoch, from where the loader stands; after it the loader is at the next epoch.

    source        a ClickLog (its train part), a Batch, or a CriteoReader
    batch_size    rows of a global batch
    rank, world_size   which of the K workers this is
    shuffle       False: the order of the rows, and of the files, as they are
    at_end        "keep": the last global batch of an epoch has the rows that are left; "drop": they are left out
    window_rows   files only: that many rows (rounded up to whole batches) are read as lines, about 250 bytes each, and
                  shuffled among themselves; the order of the files is drawn anew too. Rows in memory are shuffled
                  whole, in the order of ClickLog.batches(batch_size, seed)
    prefetch      so many Parts are made ahead by a thread of its own; 0: each when it is asked for

    Of files every worker reads all lines and turns its own into tensors: nothing needs to be agreed on, and a line that
    is bad is bad for all. state_dict() says where the loader stands, after the Parts that were handed out (not those
    made ahead), the same on every rank; load_state_dict() goes on from there, with any rank and world_size.
    """

    def __init__(self, source: ClickLog | Batch | CriteoReader, batch_size: int, rank: int = 0, world_size: int = 1, *,
                 seed: int = 0, shuffle: bool = True, at_end: str = "keep", window_rows: int = WINDOW_ROWS,
                 prefetch: int = 0):
        for name, value, least in (("batch_size", batch_size, 1), ("world_size", world_size, 1), ("seed", seed, 0),
                                   ("window_rows", window_rows, 1), ("prefetch", prefetch, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
        if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < world_size:
            raise ValueError(f"rank={rank!r}; workers run from 0 to {world_size - 1}")
        if at_end not in AT_END:
            raise ValueError(f"at_end={at_end!r}; allowed: {', '.join(map(repr, AT_END))}")
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.seed, self.shuffle, self.at_end, self.prefetch = seed, bool(shuffle), at_end, prefetch
        self.window_rows = -(-window_rows // batch_size) * batch_size
        self._source = _source_of(source)
        self._position = _start_of(0)

    @property
    def epoch(self) -> int:
        """The epoch of the next Part, from 0."""
        return self._position["epoch"]

    @property
    def step(self) -> int:
        """How many global batches of this epoch were handed out."""
        return self._position["step"]

    @property
    def features(self):
        """One FeatureSpec per sparse feature."""
        return self._source.features

    @property
    def skipped(self) -> int:
        """Bad lines left out in this epoch so far, as far as it was read."""
        return self._source.skipped

    def __iter__(self) -> Iterator[Part]:
        made = self._parts(dict(self._position))
        with closing(_ahead(made, self.prefetch) if self.prefetch else made) as parts:
            for part, position in parts:
                self._position = position
                if part is not None:
                    yield part

    def take(self, steps: int) -> Iterator[Part]:
        """The next `steps` Parts, over as many epochs as it takes."""
        left = steps
        while left > 0:
            for part in self:
                left -= 1
                yield part
                if left == 0:
                    return

    def state_dict(self) -> dict:
        """Where the loader stands: plain numbers, text and lists, for JSON or torch.save."""
        return {"format": 1, "source": self._source.fingerprint(), **self._settings(), **self._position}

    def load_state_dict(self, state: dict) -> None:
        """Go on where `state` was taken; ValueError when it is of other data or settings."""
        here = {"format": 1, "source": self._source.fingerprint(), **self._settings()}
        for name, value in here.items():
            if state.get(name) != value:
                raise ValueError(f"this position is of {name}={state.get(name)!r}, the loader has {name}={value!r}")
        self._position = {name: state[name] for name in _start_of(0)}

    def _settings(self) -> dict:
        return {"batch_size": self.batch_size, "seed": self.seed, "shuffle": self.shuffle, "at_end": self.at_end,
                "window_rows": self.window_rows}

    def _parts(self, position: dict) -> Iterator[tuple[Part | None, dict]]:
        """(Part, the position behind it) to the end of the epoch; last (None, the start of the next epoch)."""
        seed = self.seed if self.shuffle else None
        for window in self._source.windows(seed, self.window_rows, position):
            yield from self._of_window(window, position)
        if not position["step"]:
            raise DataError(f"{self._source.name} holds no global batch of {self.batch_size} rows in epoch "
                            f"{position['epoch']}: it has {self._source.rows} rows" +
                            (", and at_end='drop'" if self.at_end == "drop" and self._source.rows else ""))
        yield None, _start_of(position["epoch"] + 1)

    def _of_window(self, window: Window, position: dict) -> Iterator[tuple[Part, dict]]:
        whole = len(window.order) // self.batch_size
        last = whole if self.at_end == "drop" else -(-len(window.order) // self.batch_size)
        for number in range(position["in_window"], last):
            rows = window.order[number * self.batch_size:(number + 1) * self.batch_size]
            base, extra = divmod(len(rows), self.world_size)
            lo = self.rank * base + min(self.rank, extra)
            part = window.take(rows[lo:lo + base + (self.rank < extra)])
            position["step"], position["in_window"] = position["step"] + 1, number + 1
            yield Part(part, len(rows)), dict(position)
        position |= {"in_window": 0, "window": position["window"] + 1, "place": window.end, **window.counts}


def _start_of(epoch: int) -> dict:
    """place: where the window in hand begins; rows, skipped: of the epoch up to there."""
    return {"epoch": epoch, "step": 0, "window": 0, "in_window": 0, "place": [0, 0, 0], "rows": 0, "skipped": 0}


def _source_of(source):
    if isinstance(source, CriteoReader):
        return FileRows(source)
    if isinstance(source, ClickLog):
        return MemoryRows(source.train, source.features, source.name)
    if isinstance(source, Batch):
        return MemoryRows(source, None, "the batch")
    raise ValueError(f"source={source!r}; a ClickLog, a Batch or a CriteoReader is needed")


def _ahead(items: Iterator, most: int) -> Iterator:
    """The same items, made by a thread that is at most `most` ahead; it ends when this generator does."""
    ready: queue.Queue = queue.Queue(most)
    stop = threading.Event()

    def put(kind: str, value) -> bool:
        while not stop.is_set():
            try:
                ready.put((kind, value), timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:              # noqa: BLE001  raised where the items are asked for
            put("error", error)
        finally:
            items.close()

    thread = threading.Thread(target=work, name="pslab loader", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                return
    finally:
        stop.set()
        thread.join()
