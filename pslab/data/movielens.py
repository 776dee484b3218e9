"""MovieLens-100K read as clicks: a rating of 4 or more is a click.

    u.data    user  item  rating  timestamp        ──> one row per rating
    u.user    user | age | gender | occupation |…  ──> user, age, occupation      sparse: one id a row each
    u.item    item | title | date ||url| 19 flags  ──> item, genres               genres: a bag of 1..6 ids
    timestamp in UTC                               ──> hour                       0..23

The test part is the last fifth of each user's ratings in time: of n ratings the ⌊n/5⌋ latest. Ratings of one user in
the same second count as later the later their line stands in u.data. Rows keep the order of u.data.

Dense features, none of which looks at a label or at the test part: age, release year, and the logarithm of how many
ratings the item has in the whole training part (those after the row's own included), each standardised by the mean and
deviation of the training rows; gender (+1 for F, -1 for M); sine and cosine of the hour of day in UTC.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pslab.data.clicklog import Batch, ClickLog, FeatureSpec
from pslab.data.folders import DataError, movielens_folder
from pslab.data.jagged import KeyedJaggedTensor

CLICK_RATING = 4
AGE_STARTS = (18, 25, 35, 45, 50, 56)  # the age groups of MovieLens-1M: under 18, 18-24, …, 56 and older
DENSE = ("age", "release year", "log ratings of the item", "gender", "sin hour", "cos hour")
PRIOR_ROWS = 5.0


def movielens_click_log(folder: str | Path | None = None) -> ClickLog:
    """The click log in `folder`, or else where PSLAB_DATA or the user's cache holds it.

    Raises DataError (a ValueError) for files that are missing, unreadable or corrupt, with file, line and what was
    expected there.
    """
    folder = movielens_folder() if folder is None else Path(folder)
    users, items, ratings = _counts(folder / "u.info")
    genres = _genres(folder / "u.genre")
    age, gender, occupation, occupations = _users(folder / "u.user", users)
    bags, year = _items(folder / "u.item", items, genres)
    user, item, rating, seconds = _ratings(folder / "u.data", ratings, users, items)

    in_test = last_fifth(user, seconds)
    hour = seconds // 3600 % 24
    ids = {
        "user": user,
        "item": item,
        "genres": np.concatenate([bags[i] for i in item]),
        "age": np.searchsorted(AGE_STARTS, age[user], side="right"),
        "occupation": occupation[user],
        "hour": hour,
    }
    one, genre_counts = np.ones(ratings, dtype=np.int64), np.array([len(bag) for bag in bags])[item]
    lengths = [genre_counts if name == "genres" else one for name in ids]
    train_ratings = np.bincount(item[~in_test], minlength=items)
    dense = np.stack(
        [
            _standardised(age[user], ~in_test),
            _standardised(_filled(year, item[~in_test])[item], ~in_test),
            _standardised(np.log1p(train_ratings)[item], ~in_test),
            gender[user],
            np.sin(2 * np.pi * hour / 24),
            np.cos(2 * np.pi * hour / 24),
        ],
        axis=1,
    )
    whole = Batch(
        torch.from_numpy(dense.astype(np.float32)),
        KeyedJaggedTensor(list(ids), np.concatenate(list(ids.values())), np.concatenate(lengths)),
        torch.from_numpy((rating >= CLICK_RATING).astype(np.float32)),
    )
    sizes = (users, items, len(genres), len(AGE_STARTS) + 1, len(occupations), 24)
    features = [FeatureSpec(name, size, "mean" if name == "genres" else "sum") for name, size in zip(ids, sizes)]
    return ClickLog(
        name="movielens-100k",
        train=whole.take(np.flatnonzero(~in_test)),
        test=whole.take(np.flatnonzero(in_test)),
        features=features,
        note=f"MovieLens-100K from {folder}: {ratings} ratings, 4 or more is a click, the last fifth per user is test",
    )


def item_click_rate_baseline(log: ClickLog, feature: str | None = None, prior_rows: float = PRIOR_ROWS) -> Tensor:
    """The click rate of the row's item in the training part, smoothed, as scores of the test part: (B_test,) float32.

    Smoothed rate = (clicks + prior_rows · overall rate) / (rows + prior_rows): an item nobody rated scores the
    overall rate. feature: which one is the item; "item" where there is one, else the first. One id a row is needed.
    """
    if not prior_rows > 0:
        raise ValueError(f"prior_rows must be more than 0, got {prior_rows}")
    names = {spec.name: spec.num_embeddings for spec in log.features}
    feature = feature or ("item" if "item" in names else log.features[0].name)
    if feature not in names:
        raise ValueError(f"feature={feature!r}: this log has {', '.join(names)}")
    for part in (log.train, log.test):
        if not bool((part.sparse[feature].lengths == 1).all()):
            raise ValueError(f"feature={feature!r} is a bag: the baseline needs one id a row")
    seen, clicked = log.train.sparse[feature].values.numpy(), log.train.labels.numpy()
    rows = np.bincount(seen, minlength=names[feature])
    clicks = np.bincount(seen, weights=clicked, minlength=names[feature])
    rate = (clicks + prior_rows * clicked.mean()) / (rows + prior_rows)
    return torch.from_numpy(rate[log.test.sparse[feature].values.numpy()].astype(np.float32))


def last_fifth(user: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """(n,) bool: the ⌊n/5⌋ latest rows of each user; rows of the same second are in the order they stand in."""
    order = np.lexsort((seconds, user))  # stable: ties keep the order of the file
    _, first, count = np.unique(user[order], return_index=True, return_counts=True)
    place = np.arange(len(user)) - np.repeat(first, count)
    chosen = np.zeros(len(user), dtype=bool)
    chosen[order] = place >= np.repeat(count - count // 5, count)
    return chosen


def _standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(values − mean) / deviation, both of the training rows; a constant becomes 0."""
    deviation = values[train].std()
    return (values - values[train].mean()) / (deviation if deviation > 0 else 1.0)


def _filled(year: np.ndarray, train_item: np.ndarray) -> np.ndarray:
    """Items without a release date (NaN) get the mean year of the training rows."""
    known = year[train_item]
    known = known[~np.isnan(known)]
    return np.where(np.isnan(year), known.mean() if len(known) else 0.0, year)


# ---- the files -----------------------------------------------------------------------------------


class _Corrupt(Exception):
    """What was expected on the line at hand."""


def _table(path: Path, rows: int | None, parse) -> list:
    """parse(fields-of-line) for every line; blank lines at the end are ignored. u.item is latin-1, the rest ASCII."""
    try:
        lines = path.read_bytes().decode("latin-1").replace("\r\n", "\n").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: MovieLens-100K needs it (`pslab data fetch movielens-100k`)") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    while lines and not lines[-1].strip():
        lines.pop()
    parsed = []
    for number, line in enumerate(lines, start=1):
        try:
            parsed.append(parse(number, line))
        except _Corrupt as error:
            shown = line if len(line) <= 60 else line[:60] + "…"
            raise DataError(f"{path}, line {number}: expected {error}; got {shown!r}") from None
    if rows is not None and len(parsed) != rows:
        raise DataError(f"{path} holds {len(parsed)} lines, but u.info beside it says {rows}: is it cut short?")
    if not parsed:
        raise DataError(f"{path} is empty")
    return parsed


def _whole(text: str, what: str, low: int, high: int | None = None) -> int:
    """The whole number `text` in low..high, or _Corrupt."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
    if number < low or (high is not None and number > high):
        raise _Corrupt(f"{what} to be a whole number {f'in {low}..{high}' if high is not None else f'from {low} on'}")
    return number


def _fields(line: str, separator: str, count: int, what: str) -> list[str]:
    fields = line.split(separator)
    if len(fields) != count:
        raise _Corrupt(f"{count} fields ({what}), found {len(fields)}")
    return fields


def _counts(path: Path) -> tuple[int, int, int]:
    names = ("users", "items", "ratings")

    def parse(number, line):
        count, name = _fields(line, " ", 2, "a count and a word")
        if number > 3 or name != names[number - 1]:
            raise _Corrupt(f"'COUNT {names[number - 1]}'" if number <= 3 else "three lines only")
        return _whole(count, "the count", 1)

    counts = _table(path, None, parse)
    if len(counts) != 3:
        raise DataError(f"{path} holds {len(counts)} lines; expected three: users, items, ratings")
    return tuple(counts)


def _genres(path: Path) -> list[str]:
    def parse(number, line):
        name, place = _fields(line, "|", 2, "genre|number")
        _whole(place, "the genre's number", number - 1, number - 1)
        return name

    return _table(path, None, parse)


def _users(path: Path, users: int):
    """(age, gender ±1, occupation id) per user, and the occupations in alphabetical order."""

    def parse(number, line):
        user, age, gender, occupation, _ = _fields(line, "|", 5, "user|age|gender|occupation|zip code")
        _whole(user, "the user", number, number)
        if gender not in ("M", "F"):
            raise _Corrupt("gender to be M or F")
        return _whole(age, "age", 0, 150), 1.0 if gender == "F" else -1.0, occupation

    age, gender, occupation = zip(*_table(path, users, parse))
    names = sorted(set(occupation))
    return np.array(age), np.array(gender), np.searchsorted(names, occupation), names


def _items(path: Path, items: int, genres: list[str]):
    """(bag of genre ids, release year or NaN) per item."""
    what = f"item|title|release date|video date|URL and {len(genres)} genre flags"

    def parse(number, line):
        item, _, date, _, _, *flags = _fields(line, "|", 5 + len(genres), what)
        _whole(item, "the item", number, number)
        bag = np.flatnonzero([_whole(flag, "a genre flag", 0, 1) for flag in flags])
        if not len(bag):
            raise _Corrupt("at least one genre flag to be 1")
        return bag, float(_whole(date[-4:], "the release year", 1800, 2100)) if date else np.nan

    bags, year = zip(*_table(path, items, parse))
    return list(bags), np.array(year)


def _ratings(path: Path, ratings: int, users: int, items: int):
    """(user, item, rating, seconds) of each line; users and items from 0."""

    def parse(_, line):
        user, item, rating, seconds = _fields(line, "\t", 4, "user, item, rating, timestamp between tabs")
        return (
            _whole(user, "the user", 1, users) - 1,
            _whole(item, "the item", 1, items) - 1,
            _whole(rating, "the rating", 1, 5),
            _whole(seconds, "the timestamp", 0, 2**40),
        )

    return tuple(np.array(_table(path, ratings, parse), dtype=np.int64).T)
