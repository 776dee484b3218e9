"""What a Loader draws from, window by window: rows held in memory, or lines of files.

    MemoryRows   one window: all rows                    order: a permutation drawn from (seed, epoch)
    FileRows     windows of W lines each, one in memory  order: files permuted by (seed, epoch), then the lines of
                 at a time                               window w among themselves, by (seed, epoch, w)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pslab.data.clicklog import Batch, FeatureSpec
from pslab.data.criteo import CriteoReader


@dataclass(frozen=True)
class Window:
    """Rows shuffled among themselves. order (n,): which rows, as they are dealt; take(rows) makes a Batch of some.

    end: the place behind the window; counts: rows and skipped lines of the epoch up to there.
    """

    order: np.ndarray
    take: Callable[[np.ndarray], Batch]
    end: list[int]
    counts: dict[str, int] = field(default_factory=dict)


class MemoryRows:
    """A Batch that holds all rows."""

    skipped = 0

    def __init__(self, batch: Batch, features: list[FeatureSpec] | None, name: str):
        self.batch, self.features, self.name, self.rows = batch, features, name, len(batch)

    def fingerprint(self) -> list:
        """What a position must have in common with the source that it is loaded into."""
        return [self.name, self.rows, list(self.batch.sparse.keys)]

    def windows(self, seed: int | None, window_rows: int, position: dict) -> Iterator[Window]:
        if position["window"]:
            return
        order = np.arange(self.rows) if seed is None else _drawn(self.rows, seed, position["epoch"])
        yield Window(order, self.batch.take, [0, 0, 0])


class FileRows:
    """The lines of a CriteoReader."""

    def __init__(self, reader: CriteoReader):
        self.reader, self.features, self.name = reader, reader.features, str(reader.path)

    @property
    def rows(self) -> int:
        """Good lines of this epoch, as far as it was read."""
        return self.reader.rows

    @property
    def skipped(self) -> int:
        return self.reader.skipped

    def fingerprint(self) -> list:
        """Names and sizes of the files, and what turns a value into a row."""
        reader = self.reader
        how = [reader.table_rows, reader.hash_seed] if reader.vocabulary is None else reader.vocabulary.table_rows
        return [[[file.name, file.stat().st_size] for file in reader.files], how]

    def windows(self, seed: int | None, window_rows: int, position: dict) -> Iterator[Window]:
        reader, epoch, number = self.reader, position["epoch"], position["window"]
        files = reader.files
        if seed is not None:
            files = [files[i] for i in _drawn(len(files), seed, epoch)]
        reader.start_pass()
        reader.rows, reader.skipped = position["rows"], position["skipped"]
        lines: list[bytes] = []
        for line, place in reader.lines(files, position["place"]):
            lines.append(line)
            if len(lines) == window_rows:
                yield self._window(lines, seed, epoch, number, list(place))
                lines, number = [], number + 1
        if lines:
            yield self._window(lines, seed, epoch, number, [len(files), 0, 0])

    def _window(self, lines: list[bytes], seed, epoch: int, number: int, end: list[int]) -> Window:
        order = np.arange(len(lines)) if seed is None else _drawn(len(lines), seed, epoch, number)
        return Window(order, lambda rows: self.reader.batch_of([lines[i] for i in rows]), end,
                      {"rows": self.reader.rows, "skipped": self.reader.skipped})


def _drawn(n: int, *entropy: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(list(entropy))).permutation(n)
