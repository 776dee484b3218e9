"""Ratings of MovieLens's split u1, and digits: what is read, what stands in, and that the note says which."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from data_movielens_files import write_movielens

from pslab.data import DataError, MissingData, digit_data, rating_data

REAL = Path(os.environ.get("PSLAB_DATA", "")) / "ml-100k"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small files in place of MovieLens."""
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path))
    return write_movielens(tmp_path / "ml-100k")


def test_both_parts_of_the_split_are_read(folder):
    data = rating_data()
    assert (data.name, data.made, data.users, data.items) == ("movielens-100k", False, 8, 12)
    test, train = sorted(folder.ratings[:18]), sorted(folder.ratings[18:])
    for part, rows in ((data.train, train), (data.test, test)):
        read = zip(part.users + 1, part.items + 1, part.values)
        assert list(read) == [(user, item, rating) for user, item, rating, _ in rows]
    assert len(data.train[:5]) == 5
    assert data.train[np.array([3, 1])].values.tolist() == [train[3][2], train[1][2]]


def test_files_that_are_wrong_or_missing(folder):
    part = folder.folder / "u1.test"
    lines = part.read_text().splitlines()
    part.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(DataError, match="u1.base and u1.test hold 72 and 17 ratings, u.info says 90"):
        rating_data("movielens-100k")
    part.write_text("\n".join([*lines[:4], "9\t1\t3\t5", *lines[5:]]) + "\n")
    with pytest.raises(DataError, match=r"u1.test, line 5: expected the user .* in 1..8"):
        rating_data("movielens-100k")
    part.unlink()
    with pytest.raises(DataError, match=r"u1.test is missing.*pslab data fetch movielens-100k"):
        rating_data("movielens-100k")
    stand_in = rating_data("auto")
    assert stand_in.made
    assert "Not MovieLens: " in stand_in.note


@pytest.mark.skipif(not (REAL / "u1.base").is_file(), reason="PSLAB_DATA names no folder that holds ml-100k/")
def test_the_real_split():
    data = rating_data("movielens-100k")
    assert (len(data.train), len(data.test), data.users, data.items) == (80_000, 20_000, 943, 1682)
    assert data.train.values.mean() == pytest.approx(3.52835)
    pairs = np.concatenate([part.users * data.items + part.items for part in (data.train, data.test)])
    assert len(np.unique(pairs)) == 100_000


def test_made_ratings_are_those_of_the_seed():
    data, again, other = (rating_data("made", seed=seed) for seed in (3, 3, 4))
    assert data.made
    assert data.note.startswith("made from seed 3")
    assert np.array_equal(data.train.values, again.train.values)
    assert not np.array_equal(data.train.values, other.train.values)
    assert set(np.unique(data.train.values)) == {1, 2, 3, 4, 5}
    pairs = np.concatenate([part.users * data.items + part.items for part in (data.train, data.test)])
    assert len(np.unique(pairs)) == len(pairs), "nobody rates an item twice"
    with pytest.raises(ValueError, match="data='netflix'; allowed: auto, movielens-100k, made"):
        rating_data("netflix")


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    data, (pixels, labels) = digit_data("digits"), load_digits(return_X_y=True)
    assert (len(data.train), len(data.test), data.made) == (1437, 360, False)
    assert data.note.startswith("digits of scikit-learn")
    both = np.concatenate([data.train.pixels, data.test.pixels]) * 16
    order = np.lexsort(both.T)
    assert np.array_equal(both[order], pixels[np.lexsort(pixels.T)]), "every picture once"
    assert np.array_equal(np.bincount(np.concatenate([data.train.labels, data.test.labels])), np.bincount(labels))
    assert np.array_equal(data.test.pixels, digit_data("auto", seed=9).test.pixels), "one split for all seeds"


def test_without_scikit_learn_digits_are_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    data = digit_data("auto", seed=1)
    assert data.made
    assert "scikit-learn is not installed" in data.note
    with pytest.raises(MissingData, match="scikit-learn is not installed"):
        digit_data("digits")
    assert np.array_equal(data.train.pixels, digit_data("made", seed=1).train.pixels)
    assert not np.array_equal(data.train.pixels, digit_data("made", seed=2).train.pixels)
    assert (data.train.pixels.shape, data.train.pixels.dtype) == ((1437, 64), np.float32)
    assert 0 <= data.train.pixels.min() < data.train.pixels.max() <= 1
    with pytest.raises(ValueError, match="data='mnist'; allowed: auto, digits, made"):
        digit_data("mnist")
