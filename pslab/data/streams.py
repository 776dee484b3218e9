"""Streams of ids, in the order in which a table is asked for them: what caches and cost models are tried on.

    zipf(1.1, rows=2_000_000_000, n=100_000)     drawn: id 0 is asked for most, id r with probability ∝ (r + 1)^-1.1
    movielens_items(), movielens_users()         MovieLens-100K in the order of its timestamps
    text8_words()                                words of text8, numbered by frequency
    criteo_column(3)                             one of the 26 categorical columns of a Criteo file, row by row

zipf gives an array; the others an `IdStream`, which says where its ids are from. Where a data set is not on this
machine a stream of similar shape is made from a seed, and `made` and `note` say so. A file that is there and is not
what its format says is a DataError: nothing is put in its place.

"True Zipf": over all R rows, P(r) = (r + 1)^-a / H with H = Σ_{k=1..R} k^-a, and one law from the first row to the
last. The chapter's cost model draws something else: 85 % of the lookups from a Zipf over the first 5,000 rows and 15 %
evenly from the other two billion (pslab.cost: `chapter_lookups`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pslab.data.criteo import CATEGORICALS, CriteoReader
from pslab.data.folders import MissingData, criteo_folder, movielens_folder
from pslab.data.movielens import _counts, _ratings
from pslab.data.text8 import text8_file, tokens

LISTED = 1 << 20        # rows whose cumulative probability is listed one by one; beyond, it is a formula
_VALUES = 2**40         # of a Criteo column: so many that two of its values hardly ever share an id


@dataclass(frozen=True, eq=False)
class IdStream:
    """ids (n,) int64 in 0..rows-1, in the order asked. made: drawn from a seed in place of the data. note: from where.

    np.asarray(stream) and len(stream) are those of ids.
    """

    name: str
    ids: np.ndarray
    rows: int
    made: bool
    note: str

    def __len__(self) -> int:
        return len(self.ids)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.ids, dtype=dtype, copy=bool(copy)) if copy or dtype else self.ids

    def __repr__(self) -> str:
        return f"IdStream({self.name}: {len(self.ids):,} lookups of {self.rows:,} rows; {self.note})"


def zipf(exponent: float, rows: int, n: int, seed: int = 0) -> np.ndarray:
    """(n,) int64 ids in 0..rows-1, id r with probability ∝ (r + 1)^-exponent; 0 is uniform. The seed decides.

    One uniform number a draw, through the inverse of the cumulative probability: listed for the first 2^20 rows; behind
    them Σ k^-a from l to r is the integral of x^-a from l − ½ to r + ½, whose relative error, a(a+1)/(24 k²), is below
    10⁻¹² there. So two billion rows need eight megabytes.
    """
    if isinstance(exponent, bool) or not 0 <= exponent < float("inf"):
        raise ValueError(f"exponent={exponent!r}; a finite number from 0 is needed")
    for argument, value, low in (("rows", rows, 1), ("n", n, 0), ("seed", seed, 0)):
        _check_whole(argument, value, low)
    listed = min(rows, LISTED)
    cumulative = np.cumsum(np.arange(1, listed + 1, dtype=np.float64) ** -exponent)
    start = listed + 0.5
    behind = _integral(start, rows + 0.5, exponent)
    drawn = np.random.default_rng([seed, 11]).random(n) * (cumulative[-1] + behind)
    ids = np.searchsorted(cumulative, drawn, side="right")
    far = np.flatnonzero(ids == listed)
    if len(far):
        ends = _inverse(start, drawn[far] - cumulative[-1], exponent)       # where the integral is as large as drawn
        ids[far] = np.floor(ends + 0.5).astype(np.int64) - 1
    return np.clip(ids, 0, rows - 1)                                        # of draws at the very end, by rounding


def movielens_items(folder: str | Path | None = None, seed: int = 0) -> IdStream:
    """The items of MovieLens-100K in the order in which they were rated: 100,000 lookups of 1,682 rows.

    folder: holds u.data and u.info; None: PSLAB_DATA or the cache, and where there is none, a stream made from `seed`.
    Ratings of the same second stay in the order of the file.
    """
    return _movielens("items", folder, seed)


def movielens_users(folder: str | Path | None = None, seed: int = 0) -> IdStream:
    """The users of MovieLens-100K in the order of their ratings: each comes, rates for a while, and hardly returns."""
    return _movielens("users", folder, seed)


def text8_words(most: int | None = None, path: str | Path | None = None, seed: int = 0) -> IdStream:
    """The words of text8 in their order, as ids by frequency: 0 is the commonest, ties by the alphabet.

    most: take the first so many words (and number those). path: the file; None: as for `movielens_items`.
    """
    if most is not None:
        _check_whole("most", most, 1)
    try:
        path = text8_file() if path is None else Path(path)
    except MissingData as error:
        ids = zipf(1.0, 36_000, 200_000 if most is None else most, seed)
        return _stand_in("text8 words", ids, 36_000, f"drawn from Zipf(1) over 36,000 words, seed {seed}", error)
    _, first_order = np.unique(tokens(path, most), return_inverse=True)
    ids, rows = _by_frequency(first_order)
    return IdStream("text8 words", ids, rows, False, f"{path}: {len(ids):,} words, {rows:,} distinct")


def criteo_column(j: int, path: str | Path | None = None, most: int = 100_000, seed: int = 0) -> IdStream:
    """Categorical column j = 1..26 of a Criteo file in the order of its rows, as ids by frequency.

    most: rows to read. path: the file or folder; None: as for `movielens_items`. A missing value is a value too.
    """
    _check_whole("j", j, 1, CATEGORICALS)
    _check_whole("most", most, 1)
    name = f"Criteo column {j}"
    try:
        path = criteo_folder() if path is None else Path(path)
    except MissingData as error:
        rows = (1_400, 500, 40_000, 20_000, 300, 20)[j % 6]
        ids = zipf(1.1, rows, min(most, 20_000), seed + j)
        return _stand_in(name, ids, rows, f"drawn from Zipf(1.1) over {rows:,} rows, seed {seed}", error)
    reader = CriteoReader(path, table_rows=_VALUES)
    parts = [batch.sparse[f"c{j}"].values.numpy() for batch in reader.batches(4096, rows=most)]
    ids, rows = _by_frequency(np.concatenate(parts) if parts else np.empty(0, np.int64))
    return IdStream(name, ids, rows, False, f"{path}: {len(ids):,} rows, {rows:,} distinct values in column {j}")


# ---- how they are made ------------------------------------------------------------------------------------------


def _movielens(which: str, folder, seed: int) -> IdStream:
    name = f"MovieLens {which}"
    try:
        folder = movielens_folder() if folder is None else Path(folder)
    except MissingData as error:
        users, items = _made_sessions(seed)
        ids, rows = (users, 943) if which == "users" else (items, 1682)
        return _stand_in(name, ids, rows, f"100,000 ratings by 943 users who come one after the other, items from "
                                          f"Zipf(0.7), seed {seed}", error)
    users, items, ratings = _counts(folder / "u.info")
    user, item, _, seconds = _ratings(folder / "u.data", ratings, users, items)
    order = np.argsort(seconds, kind="stable")
    ids, rows = (user, users) if which == "users" else (item, items)
    return IdStream(name, ids[order], rows, False, f"{folder}: {ratings:,} ratings in the order of their timestamps")


def _made_sessions(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(users, items) of 100,000 ratings: each user once, 106 ratings on average, up to three users at a time."""
    rng = np.random.default_rng([seed, 12])
    n = 100_000
    lengths = rng.multinomial(n, rng.dirichlet(np.full(943, 1.2)))
    users = np.repeat(rng.permutation(943), lengths)
    moments = np.arange(n) + rng.exponential(20, n)                 # neighbours overlap a little
    return users[np.argsort(moments, kind="stable")], rng.permutation(1682)[zipf(0.7, 1682, n, seed)]


def _stand_in(name: str, ids: np.ndarray, rows: int, how: str, error: Exception) -> IdStream:
    return IdStream(f"made in place of {name}", ids, rows, True, f"{how}. Not {name}: {error}")


def _by_frequency(values: np.ndarray) -> tuple[np.ndarray, int]:
    """(ids, how many are distinct): 0 for the most frequent of `values`, equal frequencies in ascending order."""
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.empty(len(distinct), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(distinct))
    return rank[place.reshape(-1)], len(distinct)


def _integral(low: float, high: float, a: float) -> float:
    """∫ x^-a dx from low to high."""
    return float(np.log(high / low)) if a == 1 else (high ** (1 - a) - low ** (1 - a)) / (1 - a)


def _inverse(low: float, area: np.ndarray, a: float) -> np.ndarray:
    """Where the integral of x^-a from `low` on reaches `area`."""
    if a == 1:
        return low * np.exp(area)
    return np.maximum(low ** (1 - a) + (1 - a) * area, 0.0) ** (1 / (1 - a))


def _check_whole(argument: str, value, low: int, high: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low or (high and value > high):
        allowed = f"in {low}..{high}" if high else f"from {low}"
        raise ValueError(f"{argument}={value!r}; a whole number {allowed} is needed")
