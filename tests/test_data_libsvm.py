"""LIBSVM files: every row to exactly one worker, the same rows as scikit-learn reads, errors with file and line."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from pslab.data import DataError, LibsvmFile, MissingData, SparseRows, share_of, sparse_data
from pslab.data.sparse import joined

REAL = Path(os.environ.get("PSLAB_DATA", "")) / "a9a"
needs_a9a = pytest.mark.skipif(not (REAL / "a9a").is_file(), reason="PSLAB_DATA names no folder that holds a9a/")


def same(one: SparseRows, other: SparseRows) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name))
               for name in ("starts", "columns", "values", "labels"))


def write(path: Path, *lines: str, end: str = "\n") -> LibsvmFile:
    path.write_bytes((end.join(lines) + end).encode())
    return LibsvmFile(path, 20)


def numbered(path: Path, rows: int) -> LibsvmFile:
    """Row i has feature i % 20 + 1 with value i, so that every row can be told."""
    return write(path, *(f"{'+1' if i % 3 else '-1'} {i % 20 + 1}:{i}" for i in range(rows)))


def test_the_same_rows_as_scikit_learn(tmp_path):
    rng = np.random.default_rng(3)
    dense = np.where(rng.random((57, 20)) < 0.2, rng.normal(0, 100, (57, 20)), 0)
    dense[11] = 0                                           # a row without features
    dump_svmlight_file(dense, np.where(rng.random(57) < 0.5, 1, -1), str(tmp_path / "f"), zero_based=False)
    rows = LibsvmFile(tmp_path / "f", 20).read()
    theirs, labels = load_svmlight_file(str(tmp_path / "f"), n_features=20)
    assert np.array_equal(rows.starts, theirs.indptr)
    assert np.array_equal(rows.columns, theirs.indices + 1)
    assert np.array_equal(rows.values, theirs.data.astype(np.float32))
    assert np.array_equal(rows.labels, labels > 0)


def test_what_a_line_may_look_like(tmp_path):
    file = write(tmp_path / "f", "+1 3:1 7:-0.5", "", "0", "1\t2:1e-2  3:.5 ", "-1 20:4.", end="\r\n")
    rows = file.read()
    assert rows.labels.tolist() == [1, 0, 1, 0]
    assert rows.starts.tolist() == [0, 2, 2, 4, 5]
    assert rows.columns.tolist() == [3, 7, 2, 3, 20]
    assert rows.values.tolist() == [1, -0.5, np.float32(0.01), 0.5, 4]
    assert rows.row_of.tolist() == [0, 0, 2, 2, 3]
    assert file.count() == 4


@pytest.mark.parametrize(("rows", "size", "workers"), [(23, 5, 3), (4, 4, 4), (3, 2, 4), (12, 100, 5), (10, 1, 2)])
def test_every_row_goes_to_one_worker(tmp_path, rows, size, workers):
    file = numbered(tmp_path / "f", rows)
    parts = [list(file.batches(size, rank, workers)) for rank in range(workers)]
    assert {len(mine) for mine in parts} == {-(-rows // size)}, "equally many for every worker"
    seen = []
    for batch in zip(*parts):
        lengths = [len(part) for part in batch]
        assert max(lengths) - min(lengths) <= 1
        seen += [int(value) for part in batch for value in part.values]
    assert seen == list(range(rows)), "in the order of the file, none twice, none left out"
    in_memory = [list(file.read().batches(size, rank, workers)) for rank in range(workers)]
    assert all(same(a, b) for mine, theirs in zip(parts, in_memory) for a, b in zip(mine, theirs))


def test_shares_are_those_of_tensor_split():
    import torch

    for rows, workers in ((10, 4), (3, 4), (0, 2), (7, 1)):
        cut = [len(piece) for piece in torch.arange(rows).tensor_split(workers)]
        shares = [share_of(rows, rank, workers) for rank in range(workers)]
        assert [b - a for a, b in shares] == cut
        assert shares[0][0] == 0
        assert shares[-1][1] == rows
        assert all(one[1] == two[0] for one, two in pairwise(shares))


FAULTS = {
    "2 3:1": "a label of +1, 1, -1 or 0, found '2'",
    "x": "a label of +1, 1, -1 or 0, found 'x'",
    "3:1 4:1": "a label of +1, 1, -1 or 0, found '3:1'",
    "+1 3:1 4": "feature:value with a whole number and a number, found '4'",
    "+1 3:1:2": "feature:value with a whole number and a number, found '3:1:2'",
    "+1 3 1:2:4": "feature:value with a whole number and a number, found '3'",
    "+1 a:1": "feature:value with a whole number and a number, found 'a:1'",
    "+1 3:nan": "feature:value with a whole number and a number, found '3:nan'",
    "+1 3: 1": "feature:value with a whole number and a number, found '3:'",
    "+1 0:1": "feature numbers in 1..20, found 0",
    "-1 2:1 21:1": "feature numbers in 1..20, found 21",
    "-1 5:1 4:1": "feature numbers that ascend, found 4 after 5",
    "-1 5:1 5:1": "feature numbers that ascend, found 5 after 5",
    "-1 5:1e999": "a finite float32 value for feature 5",
    "-1 5:1e39": "a finite float32 value for feature 5",
}


@pytest.mark.parametrize("line", FAULTS)
def test_errors_name_file_and_line(tmp_path, line):
    file = write(tmp_path / "f", "+1 2:1", "", "-1 9:1", line, "+1 1:1")
    with pytest.raises(DataError) as caught:
        file.read()
    assert str(caught.value) == f"{tmp_path / 'f'}, line 4: expected {FAULTS[line]}; got {line!r}"


def test_rows_begin_anew_where_features_ascend(tmp_path):
    assert len(write(tmp_path / "f", "+1 9:1", "+1 2:1").read()) == 2


def test_it_is_a_stream(tmp_path):
    file = write(tmp_path / "f", *["+1 2:1"] * 5000, "nonsense")
    batches = file.batches(10)
    assert len(next(batches)) == 10
    with pytest.raises(DataError, match="line 5001"):
        list(batches)
    assert len(list(file.batches(5001, 0, 2))) == 1, "the faulty line is the other worker's"


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "empty").write_bytes(b"\n \n")
    for name, why in (("nosuch", "is missing"), ("empty", "is empty"), ("", "cannot be read")):
        with pytest.raises(DataError, match=why):
            LibsvmFile(tmp_path / name, 5).read()


@pytest.mark.parametrize(("arguments", "message"), [
    ((0,), "size=0; a whole number from 1"), ((5, 2, 2), "rank=2; with workers=2 ranks are 0..1"),
    ((5, -1, 2), "rank=-1; a whole number from 0"), ((5, 0, 0), "workers=0; a whole number from 1"),
    ((2.5,), "size=2.5; a whole number"),
])
def test_wrong_arguments(tmp_path, arguments, message):
    file = numbered(tmp_path / "f", 3)
    for source in (file, file.read()):
        with pytest.raises(ValueError, match=message):
            next(source.batches(*arguments))
    with pytest.raises(ValueError, match="num_features=0"):
        LibsvmFile(tmp_path / "f", 0)


def test_rows_in_memory():
    rows = SparseRows(np.array([0, 2, 2, 3]), np.array([1, 4, 2]), np.ones(3, np.float32), np.ones(3, np.float32))
    assert same(joined([rows[:1], rows[1:1], rows[1:]]), rows)
    assert len(joined([])) == 0
    with pytest.raises(ValueError, match="a slice of step 1"):
        rows[::2]
    with pytest.raises(ValueError, match="starts has 3 entries for 3 rows"):
        SparseRows(rows.starts[:3], rows.columns, rows.values, rows.labels)
    with pytest.raises(ValueError, match="columns has 3 entries and values 2"):
        SparseRows(rows.starts, rows.columns, rows.values[:2], rows.labels)


# ---- a9a ---------------------------------------------------------------------------------------------------------


@needs_a9a
def test_a9a_is_read_where_it_is():
    data = sparse_data()
    assert (data.name, data.made, data.train_rows, len(data.test), data.features) == ("a9a", False, 32561, 16281, 123)
    first = next(data.train.batches(3))
    assert first.columns[:14].tolist() == [3, 11, 14, 19, 39, 42, 55, 64, 67, 73, 75, 76, 80, 83]
    theirs, labels = load_svmlight_file(str(REAL / "a9a.t"), n_features=123)
    assert np.array_equal(data.test.columns, theirs.indices + 1)
    assert np.array_equal(data.test.labels, labels > 0)


def test_made_rows_stand_in_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("PSLAB_DATA", raising=False)
    data = sparse_data("auto", seed=2)
    assert data.made
    assert data.note.startswith("made from seed 2")
    assert "Not a9a: a9a is not on this machine" in data.note
    assert "pslab data fetch a9a" in data.note
    with pytest.raises(MissingData, match="a9a is not on this machine"):
        sparse_data("a9a")
    with pytest.raises(ValueError, match="data='adult'; allowed: auto, a9a, made"):
        sparse_data("adult")
    (tmp_path / "a9a").mkdir()
    (tmp_path / "a9a" / "a9a").write_text("+1 3:1\n")
    (tmp_path / "a9a" / "a9a.t").write_text("+1 3:1\n")
    with pytest.raises(DataError, match="holds 1 rows, the published file 32561"):
        sparse_data("a9a")


def test_made_rows_are_those_of_the_seed():
    data = sparse_data("made", seed=1)
    assert same(data.train, sparse_data("made", seed=1).train)
    assert not same(data.train, sparse_data("made", seed=2).train)
    assert (data.train.columns.min(), data.train.columns.max()) == (1, 123)
    assert np.all(np.diff(data.train.starts) == 14)
    assert 0.2 < data.test.labels.mean() < 0.3
