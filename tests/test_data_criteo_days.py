"""Criteo's days, bad lines within a bound, hashes by seed, and vocabularies."""

import gzip
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from test_data_criteo import line, whole, write

from pslab.data import CriteoReader, CriteoVocabulary, DataError, Loader
from pslab.data.criteo import hashed


def test_the_days_that_are_asked_for_in_their_order(tmp_path):
    for day in (0, 1, 2, 10):
        write(tmp_path / f"day_{day}{'.gz' if day % 2 else ''}", [line(100 * day + n) for n in range(3)])
    write(tmp_path / "train.txt", [line(7)])
    _, dense, _ = whole(CriteoReader(tmp_path, days=[10, 1]))
    np.testing.assert_allclose(dense[:, 0].numpy(), np.log1p(100.0 * np.array([1000, 1001, 1002, 100, 101, 102])),
                               rtol=1e-6)
    assert [file.name for file in CriteoReader(tmp_path, days=range(3)).files] == ["day_0", "day_1.gz", "day_2"]


@pytest.mark.parametrize(("names", "days", "told"), [
    (["day_0", "day_2", "x.tsv"], range(3), r"lacks day_1 \(day_1.gz would do\); it holds day_0, day_2$"),
    (["x.tsv"], [4], "lacks day_4 .* it holds no day at all"),
    (["day_0", "day_0.gz"], [0], "holds day_0 and day_0.gz: the same rows twice"),
    (["day_0", "day_0.gz"], None, "holds day_0 and day_0.gz"),
    (["day_0"], [0, 0], "each once"), (["day_0"], [], "at least one day"), (["day_0"], ["0"], "whole numbers"),
    (["day_0"], [True], "whole numbers"),
])
def test_a_day_that_is_missing_or_there_twice(tmp_path, names, days, told):
    for name in names:
        write(tmp_path / name, [line(1)])
    with pytest.raises(ValueError, match=told):
        CriteoReader(tmp_path, days=days)
    with pytest.raises(DataError, match="is no folder"):
        CriteoReader(tmp_path / names[0], days=[0])


def test_a_day_that_goes_while_it_is_read(tmp_path):
    for day in range(2):
        write(tmp_path / f"day_{day}", [line(n) for n in range(4)])
    reader = CriteoReader(tmp_path)
    (tmp_path / "day_1").unlink()
    with pytest.raises(DataError, match="day_1 cannot be read beyond line 0: No such file"):
        list(reader.batches(3))


def test_bad_lines_are_bounded(tmp_path):
    file = write(tmp_path / "a.tsv", [line(0), "x", line(1), "y\ty", line(2), "z", line(3)])
    for most in (3, None):
        reader = CriteoReader(file, on_bad_line="skip", max_bad=most)
        assert (sum(map(len, reader.batches(2))), reader.skipped) == (4, 3)
    reader = CriteoReader(file, on_bad_line="skip", max_bad=2)
    with pytest.raises(DataError, match=r"a\.tsv, line 6: .*; got 'z'. More than max_bad=2 lines are bad. The first "
                                        r"bad line: .*a\.tsv, line 2: expected 40 columns"):
        list(reader.batches(2))
    with pytest.raises(DataError, match=r"line 2: .*More than max_bad=0 lines are bad$"):
        list(CriteoReader(file, on_bad_line="skip", max_bad=0).batches(2))
    with pytest.raises(ValueError, match="max_bad=-1; a whole number from 0, or None"):
        CriteoReader(file, max_bad=-1)
    loader = Loader(CriteoReader(file, on_bad_line="skip", max_bad=2), 1, window_rows=1)
    with pytest.raises(DataError, match="line 6"):
        list(loader)
    again = Loader(CriteoReader(file, on_bad_line="skip", max_bad=2), 1, window_rows=1)
    again.load_state_dict(loader.state_dict())                  # the bound is one of the epoch, and not of a resume
    with pytest.raises(DataError, match="line 6"):
        list(again)


def test_another_seed_is_another_hash():
    values = np.arange(20_000)
    first, other = hashed(values, 3, 1001), hashed(values, 3, 1001, 7)
    assert 5 < (first == other).sum() < 50                      # 20 by chance
    assert hashed(values, 3, 1001, 0).tolist() == first.tolist()
    counts = np.bincount(other, minlength=1001)
    assert counts[0] == 0
    assert counts[1:].min() > 2
    assert hashed(np.array([-1]), 3, 1001, 7).tolist() == [0]
    assert hashed(np.array([0, 0xFFFFFFFF]), 26, 1000, 2**40).tolist() == by_hand([0, 0xFFFFFFFF], 26, 1000, 2**40)


def by_hand(values, column, rows, seed):
    """The same on Python's whole numbers."""
    out = []
    for value in values:
        x = (value + (column << 32) + seed * 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        out.append((x ^ x >> 31) % (rows - 1) + 1)
    return out


def test_the_reader_hashes_by_its_seed(tmp_path):
    file = write(tmp_path / "a.tsv", [line(n) for n in range(5)])
    _, _, ids = whole(CriteoReader(file, table_rows=90, hash_seed=4))
    assert ids["c2"].tolist() == hashed(np.arange(5) * 1009 + 1, 2, 90, 4).tolist()


# ---- vocabularies ------------------------------------------------------------------------------------------------

def lines_of(column):
    """Rows whose first categorical column is given, the others being empty."""
    return [line(n, 0, None, ["" if value is None else f"{value:08x}", *[""] * 25]) for n, value in enumerate(column)]


COLUMN = [9, 4, 4, None, 9, 9, 7, 2**32 - 1, 2, 2, None, 9]        # 9 four times, 2 and 4 twice, two values once


def test_rows_by_how_often_a_value_occurs(tmp_path):
    file = write(tmp_path / "a.tsv", lines_of(COLUMN))
    vocabulary = CriteoVocabulary.build(CriteoReader(file), min_count=2)
    assert vocabulary.table_rows == [5] + [2] * 25
    reader = CriteoReader(file, vocabulary=vocabulary)
    assert [feature.num_embeddings for feature in reader.features] == [5] + [2] * 25
    _, _, ids = whole(reader)
    assert ids["c1"].tolist() == [{9: 2, 2: 3, 4: 4, None: 0}.get(value, 1) for value in COLUMN]
    assert ids["c2"].tolist() == [0] * len(COLUMN)
    assert vocabulary.rows_of(np.array([-1, 0, 5]), 2).tolist() == [0, 1, 1]
    every = CriteoVocabulary.build(CriteoReader(file))
    assert every.rows_of(np.array([9, 2, 4, 7, 2**32 - 1, 8]), 1).tolist() == [2, 3, 4, 5, 6, 1]
    capped = CriteoVocabulary.build(CriteoReader(file), max_rows=4)
    assert capped.table_rows[0] == 4
    assert capped.rows_of(np.array([9, 2, 4]), 1).tolist() == [2, 3, 1]
    first = CriteoVocabulary.build(CriteoReader(file), rows=3)
    assert first.rows_of(np.array([4, 9, 7]), 1).tolist() == [2, 3, 1]


def test_a_vocabulary_is_saved_and_read(tmp_path):
    file = write(tmp_path / "a.tsv", [line(n) for n in range(30)])
    vocabulary = CriteoVocabulary.build(CriteoReader(file))
    vocabulary.save(tmp_path / "words.npz")
    again = CriteoVocabulary.load(tmp_path / "words.npz")
    assert again.table_rows == vocabulary.table_rows
    assert again.missed == [0] * 26
    values = np.arange(30) * 1009 + 4
    assert again.rows_of(values, 5).tolist() == vocabulary.rows_of(values, 5).tolist() == list(range(2, 32))
    for content in (b"no", gzip.compress(b"no")):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(DataError, match="other is no vocabulary"):
            CriteoVocabulary.load(tmp_path / "other")


def test_counting_in_bounded_memory_keeps_what_is_frequent(tmp_path, monkeypatch):
    """Zipf-like values: with 200 kept of about 900, all that are frequent by the stated bound have their rows."""
    rng = np.random.default_rng(5)
    column = [int(v) for v in np.minimum(rng.zipf(1.3, 3_000), 2**31)]
    true = Counter(column)
    file = write(tmp_path / "a.tsv", lines_of(column))
    monkeypatch.setattr("pslab.data.criteo_vocabulary.CHUNK_ROWS", 100)
    vocabulary = CriteoVocabulary.build(CriteoReader(file), min_count=20, most_values=200)
    missed = vocabulary.missed[0]
    assert 1 <= missed < 60
    rows = vocabulary.rows_of(np.array(list(true)), 1)
    for (value, count), row in zip(true.items(), rows):
        assert row > 1 or count < 20 + missed, value
        assert row == 1 or count >= 20, value                   # counts are never too large
    exact = CriteoVocabulary.build(CriteoReader(file), min_count=20)
    assert exact.missed[0] == 0
    assert {v for v, row in zip(true, exact.rows_of(np.array(list(true)), 1)) if row > 1} == {
        value for value, count in true.items() if count >= 20}


def test_memory_of_a_vocabulary_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pslab.data.criteo_vocabulary.CHUNK_ROWS", 100)
    peaks = []
    for rows in (300, 1_800):
        reader = CriteoReader(write(tmp_path / str(rows), lines_of(list(range(rows)))))
        tracemalloc.start()
        CriteoVocabulary.build(reader, most_values=50)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("change", [{"min_count": 0}, {"max_rows": 1}, {"most_values": True}, {"rows": 0}])
def test_wrong_arguments(tmp_path, change):
    reader = CriteoReader(write(tmp_path / "a.tsv", [line(1)]))
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        CriteoVocabulary.build(reader, **change)
