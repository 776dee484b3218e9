"""Criteo's click logs, streamed from disk: a row a line, 40 columns between tabs, no header.

    1   5       -1    68fd1e64  80e26c9b  ...        label | 13 integers | 26 categoricals
    │   │   │    │    └────────────────────── sparse: 8 hexadecimal digits, hashed to rows 1..R-1 of the column's table,
    │   │   │    │                            or mapped by a CriteoVocabulary; nothing between the tabs: row 0, which is
    │   │   │    │                            kept for that
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pslab.data.clicklog import Batch, ClickLog, FeatureSpec, concat_batches
from pslab.data.criteo_files import day_files, files_of
from pslab.data.folders import DataError, criteo_folder
from pslab.data.jagged import KeyedJaggedTensor

INTEGERS, CATEGORICALS = 13, 26
COLUMNS = 1 + INTEGERS + CATEGORICALS
MOST_LINE_BYTES = 2048        # a line of 40 columns has at most 520; what is longer is no line of this format
MOST_BAD = 1_000              # bad lines of a pass that are left out without an error, where that is asked for
DEMO_ROWS = 100_000           # rows that a ClickLog takes from the beginning of the files
DEMO_TABLE_ROWS = 2_000

_LINE = re.compile(rb"[01](?:\t(?:-?[0-9]{1,18})?){13}(?:\t(?:[0-9a-fA-F]{8})?){26}")


class Place(NamedTuple):
    """Where in the files: behind line `line` (from 1) of file number `file`, `offset` bytes into it (uncompressed)."""

    file: int = 0
    offset: int = 0
    line: int = 0


class CriteoReader:
    """Rows of one file, or of a folder's files day_N, *.tsv and *.txt (each also .gz), in the order of their names and
    numbers (day_2 before day_10).

    path           the file or folder; DataError when there is none
    table_rows     R, rows of each of the 26 tables; 2 or more
    on_bad_line    "raise": a DataError with file, line number and what was expected; "skip": count it and go on
    max_bad        with "skip": how many lines of a pass may be bad; one more is a DataError. None: any number
    hash_seed      another seed, another hash: other values share rows
    vocabulary     a CriteoVocabulary: values become its rows and are not hashed; table_rows and hash_seed say nothing
    days           numbers N, as range(24): these day_N of the folder and no others, in this order; DataError names the
                   first that is missing

    After a pass `rows` and `skipped` count its lines, and `first_skipped` says what was wrong with the first of them.
    """

    def __init__(self, path: str | Path, *, table_rows: int = DEMO_TABLE_ROWS, on_bad_line: str = "raise",
                 max_bad: int | None = MOST_BAD, hash_seed: int = 0, vocabulary=None,
                 days: Iterable[int] | None = None):
        _check_whole("table_rows", table_rows, 2)
        _check_whole("hash_seed", hash_seed, 0)
        if on_bad_line not in ("raise", "skip"):
            raise ValueError(f"on_bad_line={on_bad_line!r}; allowed: 'raise', 'skip'")
        if max_bad is not None:
            _check_whole("max_bad", max_bad, 0, ", or None for any number,")
        self.path, self.table_rows, self.on_bad_line = Path(path), table_rows, on_bad_line
        self.max_bad, self.hash_seed, self.vocabulary = max_bad, hash_seed, vocabulary
        self.files = files_of(self.path) if days is None else day_files(self.path, days)
        sizes = [table_rows] * CATEGORICALS if vocabulary is None else vocabulary.table_rows
        self.features = [FeatureSpec(f"c{column}", size) for column, size in enumerate(sizes, start=1)]
        self.start_pass()

    def start_pass(self) -> None:
        """Count from 0 again."""
        self.rows = self.skipped = 0
        self.first_skipped = ""

    def batches(self, batch_size: int, *, rows: int | None = None) -> Iterator[Batch]:
        """Batches of `batch_size` rows in the order of the files, the last one shorter when rows are left over.

        rows: stop after so many. A batch may span two files.
        """
        _check_whole("batch_size", batch_size, 1)
        if rows is not None:
            _check_whole("rows", rows, 0, ", or None for all,")
        return self._batches(batch_size, rows)

    def _batches(self, batch_size: int, rows: int | None) -> Iterator[Batch]:
        self.start_pass()
        taken: list[bytes] = []
        if rows == 0:
            return
        for line, _ in self.lines():
            taken.append(line)
            if len(taken) == batch_size or self.rows == rows:
                yield self.batch_of(taken)
                taken = []
            if self.rows == rows:
                return
        if taken:
            yield self.batch_of(taken)

    def lines(self, files: list[Path] | None = None, start: Place | None = None) -> Iterator[tuple[bytes, Place]]:
        """Every good line as it stands, without its end, and the place behind it; `files` instead of the reader's.

        start: go on behind a place that was given before. `rows` and `skipped` go on counting.
        """
        files, start = self.files if files is None else files, Place() if start is None else Place(*start)
        for which in range(start.file, len(files)):
            file = files[which]
            number, offset = (start.line, start.offset) if which == start.file else (0, 0)
            try:
                with (gzip.open(file) if file.suffix == ".gz" else file.open("rb")) as source:
                    source.seek(offset)
                    while line := source.readline(MOST_LINE_BYTES):
                        number, offset = number + 1, offset + len(line)
                        whole = line.endswith(b"\n") or len(line) < MOST_LINE_BYTES
                        line = line.rstrip(b"\r\n")
                        if _LINE.fullmatch(line):
                            self.rows += 1
                            yield line, Place(which, offset, number)
                            continue
                        self._refuse(file, number, line)
                        while not whole:                  # the rest of a line that is too long
                            line = source.readline(MOST_LINE_BYTES)
                            offset += len(line)
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
        if self.max_bad is not None and self.skipped > self.max_bad:
            first = "" if self.skipped == 1 else f". The first bad line: {self.first_skipped}"
            raise DataError(f"{told}. More than max_bad={self.max_bad} lines are bad{first}")

    def batch_of(self, lines: list[bytes]) -> Batch:
        """The rows of these good lines."""
        taken = [line.split(b"\t") for line in lines]
        labels = np.array([fields[0] == b"1" for fields in taken], np.float32)
        integers = np.array([[int(text) if text else 0 for text in fields[1:1 + INTEGERS]] for fields in taken],
                            np.int64).reshape(-1, INTEGERS)
        values = values_of(taken)
        ids = np.concatenate([self._rows_of(values[:, c], c + 1) for c in range(CATEGORICALS)])
        keys = [feature.name for feature in self.features]
        sparse = KeyedJaggedTensor(keys, ids, np.ones(len(taken) * CATEGORICALS, np.int64))
        return Batch(torch.from_numpy(np.log1p(np.maximum(integers, 0)).astype(np.float32)), sparse, labels)

    def _rows_of(self, values: np.ndarray, column: int) -> np.ndarray:
        if self.vocabulary is not None:
            return self.vocabulary.rows_of(values, column)
        return hashed(values, column, self.table_rows, self.hash_seed)


def values_of(taken: list[list[bytes]]) -> np.ndarray:
    """(n, 26) int64: the categorical values of n split lines, -1 where there is none."""
    values = [[int(text, 16) if text else -1 for text in fields[1 + INTEGERS:]] for fields in taken]
    return np.array(values, np.int64).reshape(-1, CATEGORICALS)


def hashed(values: np.ndarray, column: int, table_rows: int, seed: int = 0) -> np.ndarray:
    """Rows of the values of categorical column 1..26, (n,) int64 each: 1..table_rows-1, and 0 for -1, no value.

    Column and value together go through the finaliser of SplitMix64 (Steele, Lea, Flood 2014), so that equal values of
    two columns need not meet equal neighbours; the seed is the number of steps that generator has made before.
    """
    x = values.astype(np.uint64) + np.uint64(column << 32) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
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


def _check_whole(name: str, value: int, least: int, more: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r}; a whole number from {least}{more} is needed")
