"""Streams of ids: drawn from the law they name, read in the order of the files, and made where there is no file."""

import os
from pathlib import Path

import numpy as np
import pytest
from data_movielens_files import write_movielens
from scipy import stats

from pslab.data import (
    DataError,
    criteo_column,
    movielens_items,
    movielens_users,
    text8_words,
    zipf,
)
from pslab.data.text8 import text8_file, tokens

REAL = Path(os.environ.get("PSLAB_DATA", "no folder"))


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.delenv("PSLAB_DATA", raising=False)
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "nothing here"))


# ---- Zipf -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.3])
def test_each_id_is_drawn_as_often_as_the_law_says(exponent):
    ids = zipf(exponent, 60, 30_000, seed=3)
    p = np.arange(1, 61) ** -exponent
    counts = np.bincount(ids, minlength=60)
    assert stats.chisquare(counts, p / p.sum() * 30_000).pvalue > 0.001
    assert ids.dtype == np.int64


@pytest.mark.parametrize(("exponent", "rows"), [(0.0, 2_000_000_000), (0.9, 2_000_000_000), (1.0, 3_000_000),
                                               (1.1, 2_000_000_000)])
def test_beyond_the_listed_rows_the_law_goes_on(exponent, rows):
    """Shares of ranges that lie across and behind the listed rows, against the sums of the law itself."""
    ids = zipf(exponent, rows, 40_000, seed=1)
    edges = np.array([0, 1 << 19, 1 << 20, (1 << 20) + 1000, 2 << 20, min(rows // 2, 50 << 20), rows])
    edges = np.unique(edges)
    k = np.arange(1, (2 << 20) + 1, dtype=float) ** -exponent
    area = [np.log(r) if exponent == 1 else r ** (1 - exponent) / (1 - exponent) for r in edges + 0.5]
    mass = [k[low:high].sum() if high <= 2 << 20 else area[i + 1] - area[i]
            for i, (low, high) in enumerate(zip(edges, edges[1:]))]
    expected = np.array(mass) / sum(mass)
    found = np.histogram(ids, edges)[0]
    assert found.sum() == 40_000
    error = np.sqrt(40_000 * expected * (1 - expected))
    assert (abs(found - 40_000 * expected) <= 4.5 * error + 1).all()


def test_a_listed_law_and_a_formula_give_the_same_ids(monkeypatch):
    whole = zipf(1.1, 5000, 20_000, seed=4)
    monkeypatch.setattr("pslab.data.streams.LISTED", 700)
    split = zipf(1.1, 5000, 20_000, seed=4)
    assert 0.5 < (whole < 700).mean() < 0.95        # both parts are drawn from
    assert (whole != split).mean() < 1e-3           # a draw within 10⁻⁶ of a boundary may fall to either side
    assert abs(whole - split).max() <= 1


def test_the_seed_and_nothing_else_decides():
    assert (zipf(1.1, 100, 50, seed=1) == zipf(1.1, 100, 50, seed=1)).all()
    assert (zipf(1.1, 100, 80, seed=1)[:50] == zipf(1.1, 100, 50, seed=1)).all()
    assert (zipf(1.1, 100, 50, seed=1) != zipf(1.1, 100, 50, seed=2)).any()
    assert zipf(1.1, 1, 5).tolist() == [0] * 5
    assert len(zipf(1.1, 7, 0)) == 0


@pytest.mark.parametrize(("settings", "words"), [
    ((-1.0, 5, 5), "exponent=-1.0; a finite number from 0"), ((1.1, 0, 5), "rows=0; a whole number from 1"),
    ((1.1, 5, -1), "n=-1; a whole number from 0"), ((1.1, 5, 5, -3), "seed=-3"), ((1.1, 2.5, 5), "rows=2.5")])
def test_a_law_that_is_none_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        zipf(*settings)


# ---- files ------------------------------------------------------------------------------------------------------


def test_movielens_comes_in_the_order_of_its_timestamps(tmp_path):
    written = write_movielens(tmp_path / "ml", seed=2)
    in_time = sorted(written.ratings, key=lambda row: row[3])           # stable, as equal seconds are to be
    items, users = movielens_items(tmp_path / "ml"), movielens_users(tmp_path / "ml")
    assert items.ids.tolist() == [item - 1 for _, item, _, _ in in_time]
    assert users.ids.tolist() == [user - 1 for user, _, _, _ in in_time]
    assert (items.rows, users.rows, items.made) == (12, 8, False)
    assert np.asarray(items) is items.ids
    assert len(items) == 90
    (tmp_path / "ml" / "u.data").write_text("1\t2\tthree\t4\n")
    with pytest.raises(DataError, match="u.data, line 1: expected the rating to be"):
        movielens_items(tmp_path / "ml")


def test_words_are_numbered_by_frequency(tmp_path):
    path = tmp_path / "text8.part"
    path.write_bytes(b" b a c a b d a\n")
    stream = text8_words(path=path)
    assert stream.ids.tolist() == [1, 0, 2, 0, 1, 3, 0]                # c and d: once each, by the alphabet
    assert (stream.rows, stream.made) == (4, False)
    assert text8_words(3, path).ids.tolist() == [1, 0, 2]              # of b a c: each once
    long = tmp_path / "long"
    long.write_bytes(b"word " * 40_000 + b"end")
    assert tokens(long, 39_999)[-1] == b"word"
    assert tokens(long)[-1] == b"end"
    assert len(tokens(long, 20_000)) == 20_000


@pytest.mark.parametrize(("text", "words"), [(b"some Words", "byte 5: expected letters a..z"),
                                            (b"  \n", "holds no word"),
                                            (b"PK\x03\x04", "byte 0: .*'P'. Is it the unpacked")])
def test_a_file_that_is_no_cleaned_text_is_refused(tmp_path, text, words):
    (tmp_path / "t").write_bytes(text)
    with pytest.raises(DataError, match=words):
        text8_words(path=tmp_path / "t")
    with pytest.raises(DataError, match="absent cannot be read: No such file"):
        text8_words(path=tmp_path / "absent")


def test_the_words_lie_where_the_data_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path))
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text8").mkdir()
    (tmp_path / "text8" / "text8.head").write_text("so it is so")
    assert text8_file() == tmp_path / "text8" / "text8.head"
    assert text8_words().ids.tolist() == [0, 2, 1, 0]


def test_a_column_of_criteo_row_by_row(tmp_path):
    lines = ["\t".join(["0", *["1"] * 13, *(v if c == 3 else "0a" * 4 for c in range(1, 27))])
             for v in ("ffffffff", "", "00000001", "", "ffffffff", "")]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(lines) + "\n")
    stream = criteo_column(3, path)
    assert stream.rows == 3
    assert (stream.ids[[1, 3, 5]] == 0).all()                           # no value: the most frequent one here
    assert (stream.ids[[0, 4]] == 1).all()
    assert stream.ids[2] == 2
    assert len(criteo_column(3, path, most=2)) == 2
    assert criteo_column(1, path).rows == 1
    with pytest.raises(ValueError, match=r"j=27; a whole number in 1\.\.26"):
        criteo_column(27, path)
    path.write_text("0\t1\n")
    with pytest.raises(DataError, match=r"a\.tsv, line 1: expected 40 columns"):
        criteo_column(3, path)


# ---- where there is no file -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("stream", [movielens_items, movielens_users, lambda seed=0: text8_words(5000, seed=seed),
                                    lambda seed=0: criteo_column(2, seed=seed)])
def test_what_is_made_says_so(stream):
    first, again, other = stream(seed=1), stream(seed=1), stream(seed=2)
    assert first.made
    assert first.name.startswith("made in place of ")
    assert "seed 1" in first.note
    assert "is not on this machine: looked for" in first.note
    assert (first.ids == again.ids).all()
    assert (first.ids != other.ids).any()
    assert 0 <= first.ids.min() <= first.ids.max() < first.rows


@pytest.mark.usefixtures("nowhere")
def test_made_users_come_one_after_the_other():
    users = movielens_users().ids
    assert (users[1:] == users[:-1]).mean() > 0.4
    assert len(users) == 100_000


@pytest.mark.skipif(not (REAL / "ml-100k").is_dir() or not (REAL / "text8").is_dir(),
                    reason="PSLAB_DATA names no folder with ml-100k and text8")
def test_the_real_streams_are_whole():
    users, words = movielens_users(), text8_words()
    assert (len(users), users.rows, users.made) == (100_000, 943, False)
    assert (len(words), words.rows) == (549_570, 35_965)
    counts = np.bincount(words.ids)
    assert (np.diff(counts) <= 0).all()
    assert round(counts[:100].sum() / len(words), 3) == 0.470
