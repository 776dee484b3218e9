"""Criteo's format: what each column becomes, files and folders, bad lines, and memory that does not grow."""

import gzip
import json
import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from pslab import cli
from pslab.data import CriteoReader, DataError, MissingData, criteo_click_log, criteo_folder, data_list, load
from pslab.data.criteo import hashed

SAMPLE = Path(os.environ.get("PSLAB_DATA", "")) / "criteo" / "criteo_tiny.tsv"


def line(number, label=None, integers=None, categoricals=None):
    """A row in which every column names its row and its place."""
    label = number % 3 == 0 if label is None else label
    integers = [number * 100 + c for c in range(13)] if integers is None else integers
    categoricals = [f"{(number * 1009 + c) % 2**32:08x}" for c in range(26)] if categoricals is None else categoricals
    return "\t".join([str(int(label)), *map(str, integers), *categoricals])


def write(path, lines, end="\n"):
    data = (end.join(lines) + end).encode() if lines else b""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def whole(reader, size=7, **kwargs):
    batches = list(reader.batches(size, **kwargs))
    return (torch.cat([b.labels for b in batches]), torch.cat([b.dense for b in batches]),
            {key: torch.cat([b.sparse[key].values for b in batches]) for key in batches[0].sparse.keys})


@pytest.mark.parametrize("name", ["train.txt", "day_0", "day_0.gz", "x.tsv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_column_of_every_row(tmp_path, name, end):
    reader = CriteoReader(write(tmp_path / name, [line(n) for n in range(23)], end), table_rows=500)
    labels, dense, ids = whole(reader)
    assert labels.tolist() == [float(n % 3 == 0) for n in range(23)]
    expected = np.log1p(np.arange(23)[:, None] * 100.0 + np.arange(13))
    np.testing.assert_allclose(dense.numpy(), expected, rtol=1e-6)
    assert list(ids) == [f"c{c}" for c in range(1, 27)]
    for c in range(26):
        values = np.array([(n * 1009 + c) % 2**32 for n in range(23)])
        assert ids[f"c{c + 1}"].tolist() == hashed(values, c + 1, 500).tolist()
    assert (reader.rows, reader.skipped) == (23, 0)


def test_empty_and_negative_columns(tmp_path):
    empty = line(0, 1, [""] * 13, [""] * 26)
    mixed = line(1, 0, [-5, 0, "", 7, *[-1] * 9], ["", "ffffffff", "FFFFFFFF", *["00000000"] * 23])
    labels, dense, ids = whole(CriteoReader(write(tmp_path / "a.tsv", [empty, mixed]), table_rows=50))
    assert labels.tolist() == [1.0, 0.0]
    assert dense[0].tolist() == [0.0] * 13
    assert dense[1].tolist() == pytest.approx([0, 0, 0, math.log(8), *[0] * 9])
    assert [int(ids[f"c{c}"][0]) for c in range(1, 27)] == [0] * 26
    assert int(ids["c1"][1]) == 0
    assert all(1 <= int(ids[f"c{c}"][1]) < 50 for c in range(2, 27))
    assert int(ids["c2"][1]) == hashed(np.array([0xFFFFFFFF]), 2, 50)[0]
    assert int(ids["c3"][1]) == hashed(np.array([0xFFFFFFFF]), 3, 50)[0]      # capital digits are the same value


def test_the_hash_is_fixed_even_and_different_for_each_column():
    """The numbers are the format of trained tables: they must not change from version to version."""
    assert hashed(np.array([-1, 0, 1, 0x68FD1E64, 0xFFFFFFFF]), 1, 1000).tolist() == FIXED
    counts = np.bincount(hashed(np.arange(100_000), 5, 101), minlength=101)
    assert counts[0] == 0
    assert counts[1:].min() > 850
    assert counts[1:].max() < 1150
    same = (hashed(np.arange(10_000), 1, 1001) == hashed(np.arange(10_000), 2, 1001)).mean()
    assert same < 0.01
    assert hashed(np.arange(5), 1, 2).tolist() == [1] * 5


FIXED = [0, 260, 675, 209, 437]          # by the same steps on Python's whole numbers


def test_a_folder_of_days_is_read_in_the_order_of_its_numbers_across_files(tmp_path):
    starts = {"day_2": 0, "day_10.gz": 10, "day_11": 20}
    for name, start in starts.items():
        write(tmp_path / name, [line(n) for n in range(start, start + 10)])
    write(tmp_path / "day_12", [])
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "day_3.part").write_text("not data")
    reader = CriteoReader(tmp_path)
    batches = list(reader.batches(8))
    assert [len(batch) for batch in batches] == [8, 8, 8, 6]
    dense = torch.cat([batch.dense[:, 0] for batch in batches])
    np.testing.assert_allclose(dense.numpy(), np.log1p(np.arange(30) * 100.0), rtol=1e-6)


@pytest.mark.parametrize(("rows", "sizes"), [(0, []), (1, [1]), (8, [8]), (9, [8, 1]), (30, [8, 8, 8, 6]),
                                             (99, [8, 8, 8, 6]), (None, [8, 8, 8, 6])])
def test_rows_is_where_it_stops(tmp_path, rows, sizes):
    reader = CriteoReader(write(tmp_path / "a.tsv", [line(n) for n in range(30)]))
    for _ in range(2):                                     # each call is a new pass
        assert [len(batch) for batch in reader.batches(8, rows=rows)] == sizes
        assert reader.rows == sum(sizes)


GOOD = line(4).split("\t")
BAD = {
    "too few columns": ("\t".join(GOOD[:-1]), "40 columns between tabs, found 39"),
    "too many": ("\t".join([*GOOD, ""]), "found 41"),
    "blank": ("", "found 1"),
    "label": ("\t".join(["2", *GOOD[1:]]), "the label to be 0 or 1"),
    "no label": ("\t".join(["", *GOOD[1:]]), "the label to be 0 or 1"),
    "integer": ("\t".join([*GOOD[:3], "1.5", *GOOD[4:]]), "integer column 3 to be a whole number"),
    "minus": ("\t".join([*GOOD[:13], "-", *GOOD[14:]]), "integer column 13 to be"),
    "underscore": ("\t".join([*GOOD[:3], "1_0", *GOOD[4:]]), "integer column 3"),
    "too large": ("\t".join([*GOOD[:3], "1" * 19, *GOOD[4:]]), "at most 18 digits"),
    "short hash": ("\t".join([*GOOD[:14], "68fd1e6", *GOOD[15:]]), "categorical column 1 to be 8 hexadecimal"),
    "no hash": ("\t".join([*GOOD[:39], "68fd1e6g"]), "categorical column 26 to be"),
    "bytes": ("\t".join([*GOOD[:39], "68fd\udce91e"]), "categorical column 26"),
    "long": ("x" * 10_000, "a line of less than 2048 bytes"),
}


@pytest.mark.parametrize(("bad", "expected"), BAD.values(), ids=BAD)
def test_a_bad_line_is_named_or_counted(tmp_path, bad, expected):
    lines = [line(0), line(1), bad, line(3), bad, line(5)]
    (tmp_path / "a.tsv").write_bytes("\n".join(lines).encode(errors="surrogateescape"))   # no newline at the end
    reader = CriteoReader(tmp_path / "a.tsv")
    with pytest.raises(DataError, match=r"a\.tsv, line 3: expected .*; got '") as caught:
        list(reader.batches(2))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))
    reader = CriteoReader(tmp_path / "a.tsv", on_bad_line="skip")
    _, dense, _ = whole(reader)
    np.testing.assert_allclose(dense[:, 0].numpy(), np.log1p([0.0, 100, 300, 500]), rtol=1e-6)
    assert (reader.rows, reader.skipped) == (4, 2)
    assert "line 3" in reader.first_skipped


def test_a_damaged_archive_says_how_far_it_can_be_read(tmp_path):
    file = write(tmp_path / "day_0.gz", [line(n) for n in range(3000)])
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"day_0.gz cannot be read beyond line \d\d\d+: "):
        list(CriteoReader(file).batches(100))
    (tmp_path / "day_1.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="day_1.gz cannot be read beyond line 0"):
        list(CriteoReader(tmp_path / "day_1.gz").batches(100))


@pytest.mark.parametrize(("call", "text"), [
    (lambda p: CriteoReader(p / "none"), "none is missing"),
    (lambda p: CriteoReader(p), "holds no file named day_N"),
    (lambda p: CriteoReader(p, table_rows=1), "table_rows=1"),
    (lambda p: CriteoReader(p, table_rows=True), "table_rows=True"),
    (lambda p: CriteoReader(p, on_bad_line="ignore"), "on_bad_line='ignore'; allowed: 'raise', 'skip'"),
    (lambda p: CriteoReader(write(p / "a.tsv", [line(1)])).batches(0), "batch_size=0"),
    (lambda p: CriteoReader(write(p / "a.tsv", [line(1)])).batches(1, rows=-1), "rows=-1"),
    (lambda p: criteo_click_log(write(p / "a.tsv", [line(1)] * 4)), "holds 4 rows; at least 5"),
])
def test_what_cannot_be_read(tmp_path, call, text):
    with pytest.raises(ValueError, match=".") as caught:
        call(tmp_path)
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_memory_is_that_of_a_batch_whatever_the_size_of_the_file(tmp_path, name):
    peaks = []
    for rows in (500, 4_000):
        reader = CriteoReader(write(tmp_path / str(rows) / name, [line(n) for n in range(rows)]))
        tracemalloc.start()
        for batch in reader.batches(250):
            assert len(batch) == 250
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert reader.rows == rows
    assert peaks[1] < 1.2 * peaks[0]


def test_a_line_without_an_end_does_not_fill_memory(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"1\t" * 8_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="line 1: expected a line of less than 2048 bytes"):
        list(CriteoReader(tmp_path / "a.tsv").batches(10))
    reader = CriteoReader(tmp_path / "a.tsv", on_bad_line="skip")
    assert list(reader.batches(10)) == []
    assert reader.skipped == 1
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


# ---- as a data set ---------------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_where_it_is_looked_for(places):
    states = [entry["state"] for entry in data_list() if entry["name"] == "criteo"]
    assert states == ["absent", "absent"]
    with pytest.raises(MissingData, match="PSLAB_DATA.*PSLAB_CACHE.*not fetched"):
        load("criteo")
    write(places / "cache" / "criteo" / "day_0", [line(n) for n in range(10)])
    assert load("criteo").train.labels.shape == (8,)
    write(places / "data" / "criteo" / "train.txt", [line(n) for n in range(20)])
    assert criteo_folder() == places / "data" / "criteo"
    log = load("criteo")
    assert (len(log.train), len(log.test)) == (16, 4)
    np.testing.assert_allclose(log.test.dense[:, 0].numpy(), np.log1p([1600.0, 1700, 1800, 1900]), rtol=1e-6)
    assert [entry["state"] for entry in data_list() if entry["name"] == "criteo"] == ["present", "present"]
    (places / "data" / "criteo" / "train.txt").unlink()
    assert data_list()[3]["state"] == "empty"


def test_a_log_takes_the_first_rows_only(tmp_path):
    log = criteo_click_log(write(tmp_path / "a.tsv", [line(n) for n in range(100)]), rows=50, table_rows=30)
    assert (len(log.train), len(log.test), log.num_dense, len(log.features)) == (40, 10, 13, 26)
    assert {feature.num_embeddings for feature in log.features} == {30}
    assert "first 50 rows" in log.note
    np.testing.assert_allclose(log.train.dense[:, 0].numpy(), np.log1p(np.arange(40) * 100.0), rtol=1e-6)


def test_the_demo_learns_from_it(places, capsys, monkeypatch):
    """Clicks follow the first categorical column: with so much to see, the demo's models find it."""
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, 10, 2000)
    lines = [line(n, kind < 3, rng.integers(-1, 50, 13), [f"{kind:08x}", *[f"{v:08x}" for v in rng.integers(0, 9, 25)]])
             for n, kind in enumerate(kinds)]
    write(places / "data" / "criteo" / "day_0.gz", lines)
    monkeypatch.chdir(places)
    words = ["demo", "--data", "criteo", "--world", "sim", "--steps", "30", "--strategy", "hybrid", "--json", "f.json"]
    assert cli.main(words) == 0
    figures = json.loads((places / "f.json").read_text())
    assert "Criteo's format" in capsys.readouterr().out
    measured, = figures["measured"]
    assert measured["test_auc"] > 0.95
    assert figures["yardstick"]["name"] == "smoothed click rate of the c1"
    assert figures["yardstick"]["test_auc"] > 0.99


@pytest.mark.skipif(not SAMPLE.is_file(), reason="no sample of Criteo's data in PSLAB_DATA/criteo")
def test_the_sample_is_read_whole():
    reader = CriteoReader(SAMPLE)
    labels, dense, ids = whole(reader, 100)
    assert (reader.rows, reader.skipped, int(labels.sum())) == (1999, 0, 418)
    first = SAMPLE.open().readline().rstrip("\n").split("\t")
    np.testing.assert_allclose(dense[0].numpy(), [math.log1p(max(int(t or 0), 0)) for t in first[1:14]], rtol=1e-6)
    assert [int(ids[f"c{c + 1}"][0]) == 0 for c in range(26)] == [text == "" for text in first[14:]]
