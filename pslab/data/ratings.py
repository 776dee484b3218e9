"""Ratings for matrix factorisation: MovieLens-100K, split u1.

    u1.base   80,000 ratings to train on          user  item  rating 1..5  seconds, between tabs
    u1.test   20,000 ratings to test on           both together are u.data

The split is GroupLens's own, the first of five, so that figures can be held against published ones. Where the files are
not on this machine, ratings are made from a seed with planted factors, and the note says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pslab.data.feeding import _check_count
from pslab.data.folders import DataError, movielens_folder
from pslab.data.movielens import _counts, _ratings

NAMES = ("auto", "movielens-100k", "made")
_MADE_USERS, _MADE_ITEMS, _MADE_TRAIN, _MADE_TEST = 400, 600, 24_000, 6_000


@dataclass(frozen=True)
class Ratings:
    """n ratings: users (n,) and items (n,) int64 from 0, values (n,) float32."""

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows) -> Ratings:
        """Those rows: a slice, or numbers."""
        return Ratings(self.users[rows], self.items[rows], self.values[rows])


@dataclass(frozen=True)
class RatingData:
    """Ratings to train on and to test on; users and items count what the numbers may be. note says where from."""

    name: str
    train: Ratings
    test: Ratings
    users: int
    items: int
    made: bool
    note: str


def rating_data(name: str = "auto", seed: int = 0) -> RatingData:
    """"movielens-100k" from PSLAB_DATA or the cache; "made" from the seed; "auto": MovieLens where it can be read.

    ValueError for another name; DataError where MovieLens is asked for by name and cannot be read.
    """
    if name not in NAMES:
        raise ValueError(f"data={name!r}; allowed: {', '.join(NAMES)}")
    _check_count("seed", seed, 0)
    if name == "made":
        return _made(seed)
    try:
        return _read(movielens_folder())
    except DataError as error:
        if name == "movielens-100k":
            raise
        made = _made(seed)
        return replace(made, note=f"{made.note}. Not MovieLens: {error}")


def _read(folder: Path) -> RatingData:
    users, items, ratings = _counts(folder / "u.info")
    train, test = (_part(folder / name, users, items) for name in ("u1.base", "u1.test"))
    if len(train) + len(test) != ratings:
        raise DataError(f"{folder}: u1.base and u1.test hold {len(train)} and {len(test)} ratings, u.info says "
                        f"{ratings}: is one of them cut short?")
    return RatingData("movielens-100k", train, test, users, items, False,
                      f"MovieLens-100K from {folder}, split u1: {len(train)} ratings to train on, {len(test)} to test "
                      f"on")


def _part(path: Path, users: int, items: int) -> Ratings:
    user, item, rating, _ = _ratings(path, None, users, items)
    return Ratings(user, item, rating.astype(np.float32))


def _made(seed: int) -> RatingData:
    """Mean, biases, three factors and noise, rounded to 1..5; popular items are rated more often."""
    rng = np.random.default_rng([seed, 100])
    share = 1 / np.arange(1, _MADE_ITEMS + 1) ** 0.6
    count = _MADE_TRAIN + _MADE_TEST
    pairs = rng.choice(_MADE_USERS * _MADE_ITEMS, size=count, replace=False,
                       p=np.tile(share / share.sum(), _MADE_USERS) / _MADE_USERS)
    users, items = np.divmod(rng.permutation(pairs), _MADE_ITEMS)
    user_bias, item_bias = rng.normal(0, 0.4, _MADE_USERS), rng.normal(0, 0.5, _MADE_ITEMS)
    user_taste, item_taste = rng.normal(0, 0.75, (_MADE_USERS, 3)), rng.normal(0, 0.75, (_MADE_ITEMS, 3))
    planted = 3.5 + user_bias[users] + item_bias[items] + (user_taste[users] * item_taste[items]).sum(1)
    values = np.clip(np.rint(planted + rng.normal(0, 0.5, count)), 1, 5).astype(np.float32)
    whole = Ratings(users, items, values)
    best = float(np.sqrt(np.mean((np.clip(planted, 1, 5) - values)[_MADE_TRAIN:] ** 2)))
    return RatingData("made ratings", whole[:_MADE_TRAIN], whole[_MADE_TRAIN:], _MADE_USERS, _MADE_ITEMS, True,
                      f"made from seed {seed}: {_MADE_TRAIN} ratings to train on, {_MADE_TEST} to test on, where the "
                      f"planted model has an RMSE of {best:.3f}")
