"""MovieLens read as clicks: against a plain-Python reading of the same rows, and against corrupt files."""

import datetime
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from data_movielens_files import GENRES, OCCUPATIONS, write_movielens

from pslab.data import (
    DataError,
    MissingData,
    auc,
    data_list,
    item_click_rate_baseline,
    load,
    movielens_click_log,
    movielens_folder,
)

REAL = Path(os.environ.get("PSLAB_DATA", "")) / "ml-100k"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A small data set where PSLAB_DATA points, and an empty cache."""
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "cache"))
    return write_movielens(tmp_path / "data" / "ml-100k")


def test_rows_against_plain_python(written):
    log = movielens_click_log()
    assert [(f.name, f.num_embeddings, f.pooling) for f in log.features] == [
        ("user", 8, "sum"),
        ("item", 12, "sum"),
        ("genres", len(GENRES), "mean"),
        ("age", 7, "sum"),
        ("occupation", len(OCCUPATIONS), "sum"),
        ("hour", 24, "sum"),
    ]

    # the split, the plain way: sort each user's ratings by (second, line), take the last n // 5
    in_test = set()
    for user in range(1, 9):
        mine = sorted((row[3], line) for line, row in enumerate(written.ratings) if row[0] == user)
        in_test |= {line for _, line in mine[len(mine) - len(mine) // 5 :]}
    for part, lines in (
        (log.train, [i for i in range(len(written.ratings)) if i not in in_test]),
        (log.test, sorted(in_test)),
    ):
        got = {key: bag.to_list() for key, bag in part.sparse.to_dict().items()}
        for place, line in enumerate(lines):
            user, item, rating, second = written.ratings[line]
            age, gender, job = written.users[user - 1]
            hour = datetime.datetime.fromtimestamp(second, datetime.UTC).hour
            want = {
                "user": [user - 1],
                "item": [item - 1],
                "genres": written.items[item - 1][1],
                "age": [sum(age >= start for start in (18, 25, 35, 45, 50, 56))],
                "occupation": [sorted(OCCUPATIONS).index(job)],
                "hour": [hour],
            }
            assert {key: bags[place] for key, bags in got.items()} == want
            assert part.labels[place] == float(rating >= 4)
            assert part.dense[place, 3:].tolist() == pytest.approx(
                [1.0 if gender == "F" else -1.0, math.sin(math.pi * hour / 12), math.cos(math.pi * hour / 12)], abs=1e-6
            )
        assert len(part) == len(lines)
    assert len({row[3] for row in written.ratings}) < len(written.ratings) / 2, "without ties this tests no tie rule"


def test_a_tie_goes_by_the_line(tmp_path):
    written = write_movielens(tmp_path, users=1, items=10, ratings=10)
    lines = [f"1\t{item}\t5\t880000000" for item in (7, 3, 9, 1, 10, 2, 8, 4, 6, 5)]
    (written.folder / "u.data").write_text("\n".join(lines) + "\n")
    log = movielens_click_log(tmp_path)
    assert log.test.sparse["item"].values.tolist() == [5, 4]
    assert log.train.sparse["item"].values.tolist() == [6, 2, 8, 0, 9, 1, 7, 3]


def test_dense_features_are_standardised_on_the_training_rows_alone(written):
    log = movielens_click_log()
    train = log.train.dense[:, :3].double().numpy()
    assert np.allclose(train.mean(0), 0, atol=1e-6)
    assert np.allclose(train.std(0), 1, atol=1e-5)
    users, items = (log.train.sparse[name].values.tolist() for name in ("user", "item"))
    age = np.array([written.users[user][0] for user in users])
    assert train[:, 0] == pytest.approx((age - age.mean()) / age.std(), abs=1e-6)
    dates = [written.items[item][0] for item in items]
    known = np.array([float(date[-4:]) for date in dates if date])
    year = np.array([float(date[-4:]) if date else known.mean() for date in dates])  # no date: the mean
    assert "" in dates
    assert train[:, 1] == pytest.approx((year - year.mean()) / year.std(), abs=1e-6)
    count = np.bincount(log.train.sparse["item"].values, minlength=12)
    for part in (log.train, log.test):  # the third one: log of the item's training ratings, up to a linear map
        line = np.polyfit(np.log1p(count)[part.sparse["item"].values], part.dense[:, 2].numpy(), 1)
        seen = np.log1p(count)[log.train.sparse["item"].values]
        assert line == pytest.approx([1 / seen.std(), -seen.mean() / seen.std()], abs=1e-5)


def test_nothing_of_the_test_part_leaks_into_the_training_part(written):
    before = movielens_click_log()
    changed = []
    test_rows = {tuple(row) for row in zip(*(before.test.sparse[k].values.tolist() for k in ("user", "item")))}
    for user, item, rating, second in written.ratings:
        if (user - 1, item - 1) in test_rows:
            rating, second = 6 - rating, second + 10_000_000
        changed.append(f"{user}\t{item}\t{rating}\t{second}")
    (written.folder / "u.data").write_text("\n".join(changed) + "\n")
    after = movielens_click_log()
    assert torch.equal(before.train.dense, after.train.dense)
    assert before.train.sparse == after.train.sparse
    assert torch.equal(before.train.labels, after.train.labels)
    assert not torch.equal(before.test.labels, after.test.labels)
    assert torch.equal(item_click_rate_baseline(before), item_click_rate_baseline(after))


def test_the_baseline_by_hand(written):
    log = movielens_click_log()
    for prior_rows in (5.0, 0.5):
        scores = item_click_rate_baseline(log, prior_rows=prior_rows)
        overall = log.train.labels.mean().item()
        for item, score in zip(log.test.sparse["item"].values.tolist(), scores.tolist()):
            mine = log.train.labels[log.train.sparse["item"].values == item]
            assert score == pytest.approx((mine.sum().item() + prior_rows * overall) / (len(mine) + prior_rows))
    assert not torch.equal(item_click_rate_baseline(log, feature="user"), item_click_rate_baseline(log))
    with pytest.raises(ValueError, match="feature='genres' is a bag"):
        item_click_rate_baseline(log, feature="genres")
    with pytest.raises(ValueError, match="feature='movie': this log has user, item"):
        item_click_rate_baseline(log, feature="movie")
    with pytest.raises(ValueError, match="prior_rows must be more than 0, got 0"):
        item_click_rate_baseline(log, prior_rows=0)


@pytest.mark.skipif(not REAL.is_dir(), reason="PSLAB_DATA names no folder that holds ml-100k/")
def test_the_real_files():
    log = movielens_click_log(REAL)
    assert (len(log.train), len(log.test)) == (80367, 19633)
    assert [f.num_embeddings for f in log.features] == [943, 1682, 19, 7, 21, 24]
    assert log.train.labels.sum() + log.test.labels.sum() == 55375  # ratings of 4 and 5
    assert log.train.sparse["genres"].lengths.max() == 6
    assert 0.720 < auc(log.test.labels, item_click_rate_baseline(log)) < 0.730


# ---- bad files: (file, what happens to its lines, what the error says) ---------------------------------


def edit(line, old, new):
    def change(lines):
        assert old in lines[line]
        return [*lines[:line], lines[line].replace(old, new, 1), *lines[line + 1 :]]

    return change


BAD = {
    "cut short": ("u.data", lambda lines: lines[:50], r"u\.data holds 50 lines, but u\.info beside it says 90"),
    "too long": ("u.user", lambda lines: [*lines, "9|30|M|none|55555"], r"u\.user holds 9 lines, .* says 8"),
    "cut in a line": ("u.data", lambda lines: [*lines[:-1], lines[-1][:4]], r"u\.data, line 90: expected 4 fields"),
    "spaces for tabs": ("u.data", lambda lines: [lines[0].replace("\t", " ")], r"line 1: expected 4 fields .* found 1"),
    "a word": ("u.data", edit(6, "\t88", "\tx88"), r"line 7: expected the timestamp to be a whole number"),
    "a negative time": ("u.data", edit(0, "\t88", "\t-88"), r"line 1: expected the timestamp"),
    "a huge number": ("u.data", edit(0, "\t88", "\t" + "9" * 5000), r"line 1: expected the timestamp .*…"),
    "a blank line inside": (
        "u.data",
        lambda lines: [lines[0], "", *lines[2:]],
        r"line 2: expected 4 fields .*; got ''",
    ),
    "six stars": ("u.data", lambda _: ["1\t1\t6\t880000000"], r"line 1: .* the rating to be .* in 1\.\.5; got '1\\t1"),
    "no such user": ("u.data", lambda _: ["9\t1\t5\t880000000"], r"line 1: expected the user .* in 1\.\.8"),
    "no such item": ("u.data", lambda _: ["1\t13\t5\t880000000"], r"line 1: expected the item .* in 1\.\.12"),
    "item 0": ("u.data", lambda _: ["1\t0\t5\t880000000"], r"line 1: expected the item .* in 1\.\.12"),
    "no data": ("u.data", lambda _: [], r"u\.data holds 0 lines"),
    "a flag of 2": (
        "u.item",
        lambda lines: [lines[0][:-1] + "2"],
        r"u\.item, line 1: expected a genre flag .* in 0\.\.1",
    ),
    "no genre": ("u.item", edit(0, "|1", "|0"), r"u\.item, line 1: expected at least one genre flag"),
    "a bar more": ("u.item", edit(4, "Am", "A|m"), r"u\.item, line 5: expected 9 fields .* found 10"),
    "a date": ("u.item", edit(1, "-Mar-1954", "-Mar-"), r"u\.item, line 2: expected the release year"),
    "items out of order": ("u.item", lambda lines: lines[::-1], r"u\.item, line 1: expected the item .* in 1\.\.1"),
    "another gender": ("u.user", edit(3, "|F|", "|X|"), r"u\.user, line 4: expected gender to be M or F"),
    "an age": ("u.user", edit(0, "|M|", "9999|M|"), r"u\.user, line 1: expected age .* in 0\.\.150"),
    "genres renumbered": ("u.genre", edit(1, "|1", "|7"), r"u\.genre, line 2: expected the genre's number"),
    "no genres": ("u.genre", lambda _: [], r"u\.genre is empty"),
    "counts of other things": ("u.info", edit(1, "items", "films"), r"u\.info, line 2: expected 'COUNT items'"),
    "counts missing": ("u.info", lambda lines: lines[:2], r"u\.info holds 2 lines; expected three"),
    "a fourth count": ("u.info", lambda lines: [*lines, "5 tags"], r"u\.info, line 4: expected three lines only"),
    "binary": ("u.user", lambda _: ["\x00\x01PNG"], r"u\.user, line 1: expected 5 fields"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_corrupt_file_is_named_with_line_and_expectation(written, case):
    name, change, message = BAD[case]
    path = written.folder / name
    lines = path.read_bytes().decode("latin-1").rstrip("\n").split("\n")
    if case == "no genre":  # item 1 has one genre
        assert len(written.items[0][1]) == 1
    path.write_bytes("".join(line + "\n" for line in change(lines)).encode("latin-1"))
    with pytest.raises(DataError, match=message) as caught:
        movielens_click_log()
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # one error, not a chain
    assert load("auto").name == "synthetic"


@pytest.mark.parametrize("name", ["u.data", "u.genre", "u.info", "u.item", "u.user"])
def test_a_missing_or_unreadable_file_is_named(written, name, monkeypatch):
    path = written.folder / name
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(DataError, match=rf"{name} is missing: MovieLens-100K needs it"):
        movielens_click_log()
    path.mkdir()
    with pytest.raises(DataError, match=rf"{name} cannot be read: Is a directory"):
        movielens_click_log()
    path.rmdir()
    path.write_bytes(content)
    read = Path.read_bytes

    def refused(self):  # what a file without read permission does; root may read it all the same
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(DataError, match=rf"{name} cannot be read: Permission denied"):
        movielens_click_log()


def test_windows_line_ends_are_read_all_the_same(written):
    before = movielens_click_log()
    for path in written.folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert movielens_click_log().train.sparse == before.train.sparse


# ---- where it is looked for ------------------------------------------------------------------------------


def test_data_folder_first_then_cache(written, tmp_path, monkeypatch):
    assert movielens_folder() == written.folder
    in_cache = write_movielens(tmp_path / "cache" / "ml-100k", seed=1, ratings=40)
    assert movielens_folder() == written.folder
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path / "nowhere"))
    assert movielens_folder() == in_cache.folder
    assert len(movielens_click_log().train) + len(movielens_click_log().test) == 40
    monkeypatch.delenv("PSLAB_DATA")
    assert movielens_folder() == in_cache.folder
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "nowhere"))
    with pytest.raises(MissingData, match=r"looked for .*nowhere/ml-100k \(PSLAB_CACHE\)\. Run `pslab data fetch"):
        movielens_folder()


def test_load_by_name(written, monkeypatch):
    assert load("auto").name == load("movielens-100k").name == "movielens-100k"
    assert str(written.folder) in load("auto").note
    monkeypatch.delenv("PSLAB_DATA")
    log = load("auto", seed=3)
    assert log.name == "synthetic"
    assert "seed 3" in log.note
    assert "Not MovieLens: MovieLens-100K is not on this machine" in log.note
    assert log.best_auc == load("synthetic", seed=3).best_auc != load("synthetic", seed=4).best_auc
    with pytest.raises(MissingData, match="PSLAB_DATA"):
        load("movielens-100k")
    with pytest.raises(ValueError, match="'avazu' is not known; there are auto, movielens-100k, criteo, synthetic"):
        load("avazu")


def test_data_list_tells_states(written, tmp_path):
    states = {entry["place"]: (entry["state"], entry["note"]) for entry in data_list()[1:3]}
    cache = tmp_path / "cache" / "ml-100k"
    assert states == {
        f"{written.folder} (PSLAB_DATA)": ("present", ""),
        f"{cache} (PSLAB_CACHE)": ("absent", "`pslab data fetch movielens-100k` brings it"),
    }
    (written.folder / "u.item").unlink()
    assert data_list()[1]["state"] == "incomplete"
    assert data_list()[1]["note"] == "without u.item"
