"""Criteo's click logs, streamed from disk: a row a line, 40 columns between tabs, no header.

    1   5       -1    68fd1e64  80e26c9b  ...        label | 13 integers | 26 categoricals
    │   │   │    │    └────────────────────── sparse: 8 hexadecimal digits, hashed to rows 1..R-1 of the column's table;
    │   │   │    │                            nothing between the tabs: row 0, which is kept for that
    │   └───┴────┴─────────────────────────── dense: ln(1 + max(x, 0)); nothing: 0, as for x = 0
    └──────────────────────────────────────── 1 for a click

The format of the Kaggle display-advertising file and of the terabyte's day files, plain or .gz. A reader holds one
batch of rows at a time, whatever the size of the files. The same value goes to the same row in every process and on
every day; where a column has more values than its table has rows, some share one.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pslab.data.clicklog import Batch, ClickLog, FeatureSpec, concat_batches
from pslab.data.folders import CRITEO_FILES, DataError, criteo_folder
from pslab.data.jagged import KeyedJaggedTensor

INTEGERS, CATEGORICALS = 13, 26
COLUMNS = 1 + INTEGERS + CATEGORICALS
MOST_LINE_BYTES = 2048        # a line of 40 columns has at most 520; what is longer is no line of this format
DEMO_ROWS = 100_000           # rows that a ClickLog takes from the beginning of the files
DEMO_TABLE_ROWS = 2_000

_LINE = re.compile(rb"[01](?:\t(?:-?[0-9]{1,18})?){13}(?:\t(?:[0-9a-fA-F]{8})?){26}")


class CriteoReader:
    """Rows of one file, or of a folder's files day_N, *.tsv and *.txt (each also .gz), in the order of their names and
    numbers (day_2 before day_10).

    path           the file or folder; DataError when there is none
    table_rows     R, rows of each of the 26 tables; 2 or more
    on_bad_line    "raise": a DataError with file, line number and what was expected; "skip": count it and go on

    After a pass `rows` and `skipped` count its lines, and `first_skipped` says what was wrong with the first of them.
    """

    def __init__(self, path: str | Path, *, table_rows: int = DEMO_TABLE_ROWS, on_bad_line: str = "raise"):
        if isinstance(table_rows, bool) or not isinstance(table_rows, int) or table_rows < 2:
            raise ValueError(f"table_rows={table_rows!r}; a whole number from 2 is needed")
        if on_bad_line not in ("raise", "skip"):
            raise ValueError(f"on_bad_line={on_bad_line!r}; allowed: 'raise', 'skip'")
        self.path, self.table_rows, self.on_bad_line = Path(path), table_rows, on_bad_line
        self.files = _files(self.path)
        self.features = [FeatureSpec(f"c{column}", table_rows) for column in range(1, CATEGORICALS + 1)]
        self.rows = self.skipped = 0
        self.first_skipped = ""

    def batches(self, batch_size: int, *, rows: int | None = None) -> Iterator[Batch]:
        """Batches of `batch_size` rows in the order of the files, the last one shorter when rows are left over.

        rows: stop after so many. A batch may span two files.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}; a whole number from 1 is needed")
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 0):
            raise ValueError(f"rows={rows!r}; a whole number from 0, or None for all, is needed")
        return self._batches(batch_size, rows)

    def _batches(self, batch_size: int, rows: int | None) -> Iterator[Batch]:
        self.rows, self.skipped, self.first_skipped = 0, 0, ""
        taken: list[list[bytes]] = []
        if rows == 0:
            return
        for fields in self._lines():
            taken.append(fields)
            self.rows += 1
            if len(taken) == batch_size or self.rows == rows:
                yield self._batch(taken)
                taken = []
            if self.rows == rows:
                return
        if taken:
            yield self._batch(taken)

    def _lines(self) -> Iterator[list[bytes]]:
        """The 40 fields of every good line."""
        for file in self.files:
            number = 0
            try:
                with (gzip.open(file) if file.suffix == ".gz" else file.open("rb")) as lines:
                    while line := lines.readline(MOST_LINE_BYTES):
                        number += 1
                        whole = line.endswith(b"\n") or len(line) < MOST_LINE_BYTES
                        line = line.rstrip(b"\r\n")
                        if _LINE.fullmatch(line):
                            yield line.split(b"\t")
                            continue
                        self._refuse(file, number, line)
                        while not whole:                  # the rest of a line that is too long
                            line = lines.readline(MOST_LINE_BYTES)
                            whole = line.endswith(b"\n") or not line
            except (OSError, EOFError, zlib.error) as error:
                told = getattr(error, "strerror", None) or error
                raise DataError(f"{file} cannot be read beyond line {number}: {told}") from None

    def _refuse(self, file: Path, number: int, line: bytes) -> None:
        shown = line.decode("ascii", "replace")
        shown = shown if len(shown) <= 60 else shown[:60] + "…"
        told = f"{file}, line {number}: expected {_expected(line)}; got {shown!r}"
        if self.on_bad_line == "raise":
            raise DataError(told)
        self.skipped += 1
        self.first_skipped = self.first_skipped or told

    def _batch(self, taken: list[list[bytes]]) -> Batch:
        labels = np.array([fields[0] == b"1" for fields in taken], np.float32)
        integers = np.array([[int(text) if text else 0 for text in fields[1:1 + INTEGERS]] for fields in taken])
        values = np.array([[int(text, 16) if text else -1 for text in fields[1 + INTEGERS:]] for fields in taken])
        ids = np.concatenate([hashed(values[:, c], c + 1, self.table_rows) for c in range(CATEGORICALS)])
        keys = [feature.name for feature in self.features]
        sparse = KeyedJaggedTensor(keys, ids, np.ones(len(taken) * CATEGORICALS, np.int64))
        return Batch(torch.from_numpy(np.log1p(np.maximum(integers, 0)).astype(np.float32)), sparse, labels)


def hashed(values: np.ndarray, column: int, table_rows: int) -> np.ndarray:
    """Rows of the values of categorical column 1..26, (n,) int64 each: 1..table_rows-1, and 0 for -1, no value.

    Column and value together go through the finaliser of SplitMix64 (Steele, Lea, Flood 2014), so that equal values of
    two columns need not meet equal neighbours.
    """
    x = values.astype(np.uint64) + np.uint64(column << 32)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    rows = (x % np.uint64(table_rows - 1)).astype(np.int64) + 1
    return np.where(values < 0, 0, rows)


def criteo_click_log(path: str | Path | None = None, *, rows: int = DEMO_ROWS,
                     table_rows: int = DEMO_TABLE_ROWS) -> ClickLog:
    """The first `rows` rows as a log held in memory: the first four fifths train, the last fifth test, as they stand.

    path: a file or folder, or else where PSLAB_DATA or the user's cache holds criteo/. Raises DataError (a ValueError).
    """
    reader = CriteoReader(criteo_folder() if path is None else path, table_rows=table_rows)
    batches = list(reader.batches(4096, rows=rows))
    if reader.rows < 5:
        raise DataError(f"{reader.path} holds {reader.rows} rows; at least 5 are needed, a fifth of them to test")
    whole, cut = concat_batches(batches), reader.rows - reader.rows // 5
    return ClickLog("criteo", whole.rows(0, cut), whole.rows(cut, reader.rows), reader.features,
                    note=f"Criteo's format from {reader.path}: the first {reader.rows:,} rows, in the order of the "
                         f"files; the last fifth is test; categorical values hashed to {table_rows:,} rows a column")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [file for file in path.iterdir() if file.is_file() and CRITEO_FILES.fullmatch(file.name)]
        if not found:
            raise DataError(f"{path} holds no file named day_N, *.tsv or *.txt (or these with .gz)")
        return sorted(found, key=lambda file: [(int(part), "") if part.isdigit() else (-1, part)
                                               for part in re.split(r"(\d+)", file.name)])
    if not path.is_file():
        raise DataError(f"{path} is missing: a file of Criteo's format, or a folder of them, is needed")
    return [path]


def _expected(line: bytes) -> str:
    """What the first thing wrong with the line should have been."""
    fields = line.split(b"\t")
    if len(line) >= MOST_LINE_BYTES:
        return f"a line of less than {MOST_LINE_BYTES} bytes"
    if len(fields) != COLUMNS:
        return f"{COLUMNS} columns between tabs, found {len(fields)}"
    if fields[0] not in (b"0", b"1"):
        return "the label to be 0 or 1"
    for column, text in enumerate(fields[1:], start=1):
        if column <= INTEGERS and not re.fullmatch(rb"(-?[0-9]{1,18})?", text):
            return f"integer column {column} to be a whole number of at most 18 digits, or empty"
        if column > INTEGERS and not re.fullmatch(rb"([0-9a-fA-F]{8})?", text):
            return f"categorical column {column - INTEGERS} to be 8 hexadecimal digits, or empty"
    return "a line of this format"
