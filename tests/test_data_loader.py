"""The loader: every row once, to one worker, reshuffled each epoch; it can stop anywhere and go on."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from data_movielens_files import write_movielens
from test_data_criteo import line, write

from pslab.data import (
    Batch,
    CriteoReader,
    DataError,
    KeyedJaggedTensor,
    Loader,
    movielens_click_log,
    synthetic_click_log,
)


def numbered(rows):
    """A batch whose row n has dense value n, label n mod 2 and the bag (n, n + 1)."""
    values = np.stack([np.arange(rows), np.arange(rows) + 1], 1).reshape(-1)
    return Batch(torch.arange(rows, dtype=torch.float32)[:, None],
                 KeyedJaggedTensor(["id"], values, np.full(rows, 2)), torch.arange(rows) % 2 * 1.0)


@pytest.fixture
def days(tmp_path):
    """Five days of 7, 0, 11, 1 and 18 rows: 37 in all, some compressed, the last one with bad lines."""
    first = 0
    for day, rows in enumerate((7, 0, 11, 1, 18)):
        lines = [line(n) for n in range(first, first + rows)]
        if day == 4:
            lines[3:3] = ["bad", ""]
        write(tmp_path / "days" / f"day_{day}{'.gz' if day % 2 else ''}", lines)
        first += rows
    return tmp_path / "days"


def reader(days, **options):
    return CriteoReader(days, on_bad_line="skip", table_rows=50, **options)


def numbers(parts):
    """The row numbers of parts: of Criteo's lines from integer column 1, ln(1 + 100 n), else from dense itself."""
    return [[round((math.expm1(x) / 100) if part.batch.dense.shape[1] == 13 else float(x))
             for x in part.batch.dense[:, 0]] for part in parts]


def flat(lists):
    return [n for part in lists for n in part]


@pytest.mark.parametrize("kind", ["memory", "files"])
@pytest.mark.parametrize(("K", "size"), [(1, 5), (3, 5), (4, 8), (2, 37), (5, 40), (4, 2)])
def test_an_epoch_is_disjoint_and_complete(days, kind, K, size):
    sources = [numbered(37) if kind == "memory" else reader(days) for _ in range(K)]
    loaders = [Loader(source, size, r, K, seed=3, window_rows=10) for r, source in enumerate(sources)]
    orders = []
    for epoch in range(2):
        assert {loader.epoch for loader in loaders} == {epoch}
        workers = [list(loader) for loader in loaders]
        batches = -(-37 // size)
        assert {len(parts) for parts in workers} == {batches}               # equally many steps
        assert sorted(flat(flat(map(numbers, workers)))) == list(range(37))
        for parts in zip(*workers):
            sizes = [len(part.batch) for part in parts]
            assert sum(sizes) == parts[0].global_size
            assert sizes == sorted(sizes, reverse=True)
            assert sizes[0] - sizes[-1] <= 1
            assert {part.global_size for part in parts} == {sum(sizes)}
        assert [part.global_size for part in workers[0]][:-1] == [size] * (batches - 1)
        orders.append(flat([flat(numbers(parts)) for parts in zip(*workers)]))
    assert orders[0] != orders[1] != list(range(37))
    if kind == "files":
        assert loaders[0].skipped == 2
    lone = [Loader(numbered(37) if kind == "memory" else reader(days), size, seed=3, window_rows=10)]
    assert flat(numbers(lone[0])) == orders[0]                              # global batches do not depend on K
    other = Loader(numbered(37) if kind == "memory" else reader(days), size, seed=4, window_rows=10)
    assert flat(numbers(other)) != orders[0]


def test_drop_leaves_the_remainder_out(days):
    for source in (numbered(37), reader(days)):
        loader = Loader(source, 8, 1, 2, at_end="drop", window_rows=8)
        assert [(len(part.batch), part.global_size) for part in loader] == [(4, 8)] * 4
        assert loader.epoch == 1


def test_without_shuffling_rows_come_as_they_stand(days):
    for source in (numbered(37), reader(days)):
        loader = Loader(source, 10, shuffle=False, window_rows=10)
        for _ in range(2):
            assert flat(numbers(loader)) == list(range(37))


def test_a_log_comes_in_the_order_of_its_own_batches():
    log = synthetic_click_log(2, train_rows=50, test_rows=5, tables=(9, 7))
    theirs = list(log.batches(8, seed=5, steps=12))
    ours = list(Loader(log, 8, seed=5, at_end="drop").take(12))
    assert [part.batch.sparse.values.tolist() for part in ours] == [b.sparse.values.tolist() for b in theirs]
    assert [part.batch.labels.tolist() for part in ours] == [b.labels.tolist() for b in theirs]
    assert Loader(log, 8).features == log.features


def test_movielens_by_the_same_face(tmp_path):
    log = movielens_click_log(write_movielens(tmp_path / "ml-100k").folder)
    rows = len(log.train)
    parts = [list(Loader(log, 20, rank, 3, seed=1)) for rank in range(3)]
    assert [part.global_size for part in parts[0]] == [20] * (rows // 20) + [rows % 20]
    dealt = [part.batch.sparse["user"].values.tolist() + part.batch.sparse["item"].values.tolist()
             for worker in parts for part in worker]
    assert Counter(flat(dealt)) == Counter([*log.train.sparse["user"].values.tolist(),
                                            *log.train.sparse["item"].values.tolist()])


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("kind", ["memory", "files"])
def test_it_goes_on_anywhere_with_another_number_of_workers(days, kind, prefetch):
    def made(rank=0, K=1, **options):
        return Loader(numbered(37) if kind == "memory" else reader(days), 4, rank, K, seed=1, window_rows=8,
                      prefetch=prefetch, **options)

    whole = numbers(made().take(25))                                         # 10 batches an epoch
    for stop in (0, 1, 2, 3, 9, 10, 11, 19, 20):
        first = made()
        begun = numbers(first.take(stop))
        state = json.loads(json.dumps(first.state_dict()))
        assert (state["epoch"], state["step"]) == divmod(stop, 10) or stop % 10 == 0
        rest = []
        for rank in range(3):
            later = made(rank, 3)
            later.load_state_dict(state)
            rest.append(numbers(later.take(25 - stop)))
        assert begun + [flat(parts) for parts in zip(*rest)] == whole
    if kind == "files":
        again = made()
        again.load_state_dict(state)
        list(again)
        assert again.skipped == 2                                            # bad lines before the stop count, too


def test_a_position_belongs_to_its_data_and_settings(days):
    state = Loader(reader(days), 4, seed=1).state_dict()
    for other, told in ((Loader(reader(days), 5, seed=1), "batch_size=4, the loader has batch_size=5"),
                        (Loader(reader(days), 4, seed=2), "seed=1, the loader has seed=2"),
                        (Loader(reader(days), 4, seed=1, at_end="drop"), "at_end='keep'"),
                        (Loader(reader(days), 4, seed=1, shuffle=False), "shuffle=True"),
                        (Loader(reader(days), 4, seed=1, window_rows=8), "window_rows="),
                        (Loader(numbered(4), 4, seed=1), "is of source="),
                        (Loader(reader(days, hash_seed=1), 4, seed=1), "is of source=")):
        with pytest.raises(ValueError, match=told):
            other.load_state_dict(state)
    write(days / "day_5", [line(90)])
    with pytest.raises(ValueError, match="is of source="):
        Loader(reader(days), 4, seed=1).load_state_dict(state)


@pytest.mark.parametrize("prefetch", [0, 3])
def test_what_goes_wrong_is_raised_where_the_parts_are_asked_for(days, prefetch):
    loader = Loader(CriteoReader(days), 4, shuffle=False, window_rows=4, prefetch=prefetch)
    parts = iter(loader)
    assert flat(numbers([next(parts) for _ in range(4)])) == list(range(16))
    with pytest.raises(DataError, match="day_4, line 4: expected 40 columns"):
        list(parts)
    assert loader.step <= 5


def test_a_reader_that_stops_early_leaves_no_thread(days):
    import threading

    loader = Loader(reader(days), 2, prefetch=2)
    for _ in loader:
        break
    assert loader.step == 1
    assert [t.name for t in threading.enumerate() if t.name == "pslab loader"] == []


def test_memory_is_that_of_the_window(tmp_path):
    import tracemalloc

    peaks = []
    for rows in (400, 2_400):
        source = CriteoReader(write(tmp_path / str(rows), [line(n) for n in range(rows)]))
        tracemalloc.start()
        assert sum(len(part.batch) for part in Loader(source, 100, window_rows=200)) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(("change", "told"), [
    ({"batch_size": 0}, "batch_size=0"), ({"world_size": 0}, "world_size=0"), ({"rank": 2, "world_size": 2}, "rank=2"),
    ({"seed": -1}, "seed=-1"), ({"at_end": "pad"}, "at_end='pad'; allowed: 'keep', 'drop'"),
    ({"prefetch": True}, "prefetch=True"), ({"window_rows": 0}, "window_rows=0"), ({"source": [1]}, "source=\\[1\\]"),
])
def test_wrong_arguments(change, told):
    with pytest.raises(ValueError, match=told):
        Loader(**({"source": numbered(4), "batch_size": 2} | change))


def test_a_source_without_a_batch(tmp_path):
    with pytest.raises(DataError, match=r"no global batch of 5 rows in epoch 0: it has 4 rows, and at_end='drop'"):
        list(Loader(numbered(4), 5, at_end="drop"))
    empty = CriteoReader(write(tmp_path / "a.tsv", []))
    with pytest.raises(DataError, match=r"a\.tsv holds no global batch of 5 rows in epoch 0: it has 0 rows"):
        next(Loader(empty, 5).take(3))
