"""a9a for logistic regression: is a person's income above 50,000 dollars? 14 attributes as 123 features of 0 and 1.

    a9a/a9a      32,561 rows to train on        a9a/a9a.t     16,281 rows to test on        24 % have label 1

The rows are UCI's Adult data (Becker and Kohavi 1996, CC BY 4.0) as the LIBSVM site prepared them: each attribute cut
into categories, each category a feature. Where the files are not on this machine, rows of the same kind are made from a
seed, with a planted model, and the note says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pslab.data.feeding import _check_count
from pslab.data.folders import DataError, a9a_folder
from pslab.data.libsvm import LibsvmFile
from pslab.data.sparse import SparseRows

FEATURES, TRAIN_ROWS, TEST_ROWS = 123, 32_561, 16_281
NAMES = ("auto", "a9a", "made")
_MADE_SIZES = (5, 8, 5, 16, 7, 14, 6, 5, 2, 5, 5, 5, 38, 2)        # categories of each attribute: 123 in all
_MADE_TRAIN, _MADE_TEST = 12_000, 6_000


@dataclass(frozen=True)
class SparseData:
    """train: batches of it can be asked for by rank (a file that is streamed, or rows in memory). test: in memory.

    features: their numbers run from 1 to this. train_rows: how many rows train has. made: whether the rows stand in for
    real ones; note says what they are.
    """

    name: str
    train: LibsvmFile | SparseRows
    test: SparseRows
    features: int
    train_rows: int
    made: bool
    note: str


def sparse_data(name: str = "auto", seed: int = 0) -> SparseData:
    """"a9a" from PSLAB_DATA or the cache; "made" from the seed; "auto": a9a where it can be read, else made.

    ValueError for another name; DataError where a9a is asked for by name and cannot be read.
    """
    if name not in NAMES:
        raise ValueError(f"data={name!r}; allowed: {', '.join(NAMES)}")
    _check_count("seed", seed, 0)
    if name == "made":
        return _made(seed)
    try:
        return _read()
    except DataError as error:
        if name == "a9a":
            raise
        made = _made(seed)
        return SparseData(made.name, made.train, made.test, made.features, made.train_rows, True,
                          f"{made.note}. Not a9a: {error}")


def _read() -> SparseData:
    folder = a9a_folder()
    train, test = LibsvmFile(folder / "a9a", FEATURES), LibsvmFile(folder / "a9a.t", FEATURES).read()
    train_rows = train.count()
    for name, rows, known in (("a9a", train_rows, TRAIN_ROWS), ("a9a.t", len(test), TEST_ROWS)):
        if rows != known:
            raise DataError(f"{folder / name} holds {rows} rows, the published file {known}: is it cut short?")
    return SparseData("a9a", train, test, FEATURES, train_rows, False,
                      f"a9a from {folder}: {train_rows} rows to train on, streamed; {len(test)} to test on")


def _made(seed: int) -> SparseData:
    """Rows with one category of each attribute, frequent ones first; labels drawn from a planted sparse model."""
    rng = np.random.default_rng([seed, 9])
    rows = _MADE_TRAIN + _MADE_TEST
    weights = np.zeros(FEATURES + 1)
    weighty = 1 + rng.choice(FEATURES, size=50, replace=False)
    weights[weighty] = rng.normal(0, 1.6, size=len(weighty))
    columns, first = np.empty((rows, len(_MADE_SIZES)), np.int64), 1
    for place, size in enumerate(_MADE_SIZES):
        share = 1 / np.arange(1, size + 1)
        columns[:, place] = first + rng.choice(size, size=rows, p=share / share.sum())
        first += size
    score = weights[columns].sum(1)
    score -= np.quantile(score, 0.76)                   # about a quarter of the labels are 1, as in a9a
    chance = 1 / (1 + np.exp(-score))
    labels = (rng.random(rows) < chance).astype(np.float32)
    starts = np.arange(rows + 1, dtype=np.int64) * len(_MADE_SIZES)
    whole = SparseRows(starts, columns.reshape(-1), np.ones(columns.size, np.float32), labels)
    best = float(np.maximum(chance, 1 - chance)[_MADE_TRAIN:].mean())
    return SparseData("made sparse rows", whole[:_MADE_TRAIN], whole[_MADE_TRAIN:], FEATURES, _MADE_TRAIN, True,
                      f"made from seed {seed}: {_MADE_TRAIN} rows to train on, {_MADE_TEST} to test on, of which the "
                      f"planted model gets {best:.1%} right")
