"""Batches: shards, the seeded order of the global batches, and what a ClickLog refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from pslab.data import Batch, ClickLog, FeatureSpec, KeyedJaggedTensor, concat_batches


def rows_of(batch: Batch) -> list:
    """Each row as (dense, bags, label), so that a mix-up between the parts shows."""
    bags = [bag.to_list() for bag in batch.sparse.to_dict().values()]
    return list(zip(batch.dense.tolist(), zip(*bags), batch.labels.tolist()))


def numbered(rows: int, first: int = 0) -> Batch:
    """Row i carries i in every part: dense (i, -i), user [i], bag of i % 3 ids from i on, label i."""
    numbers = range(first, first + rows)
    bags = [[i + j for j in range(i % 3)] for i in numbers]
    return Batch(
        torch.tensor([[i, -i] for i in numbers], dtype=torch.float32).reshape(rows, 2),
        KeyedJaggedTensor(
            ["user", "bag"], [*numbers, *(i for bag in bags for i in bag)], [1] * rows + [len(bag) for bag in bags]
        ),
        torch.tensor(list(numbers), dtype=torch.float32),
    )


def log_of(rows: int, test_rows: int = 3) -> ClickLog:
    features = [FeatureSpec("user", 1000), FeatureSpec("bag", 1000, "mean")]
    return ClickLog("numbered", numbered(rows), numbered(test_rows, 500), features)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 12])
@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_shards_are_the_pieces_of_tensor_split(rows, world_size):
    batch = numbered(rows)
    pieces = [batch.shard(rank, world_size) for rank in range(world_size)]
    assert [piece.labels.tolist() for piece in pieces] == [
        part.tolist() for part in torch.tensor_split(batch.labels, world_size)
    ]
    assert [row for piece in pieces for row in rows_of(piece)] == rows_of(batch)
    assert [len(piece) for piece in pieces] == [piece.sparse.stride for piece in pieces]


def test_rows_and_take_and_concat_keep_rows_together():
    batch = numbered(9)
    assert rows_of(batch.rows(2, 5)) == rows_of(batch)[2:5]
    assert rows_of(batch.take([5, 0, 5])) == [rows_of(batch)[i] for i in (5, 0, 5)]
    assert rows_of(concat_batches([batch.rows(4, 9), batch.rows(0, 4)])) == rows_of(batch)[4:] + rows_of(batch)[:4]
    assert batch.rows(2, 5).dense.data_ptr() == batch.dense[2:].data_ptr()


def test_batches_visit_each_row_once_an_epoch_and_drop_the_rest():
    log = log_of(23)
    batches = list(log.batches(5, seed=3, steps=8))
    assert [len(batch) for batch in batches] == [5] * 8
    epochs = [[i for batch in batches[e * 4 : e * 4 + 4] for i in batch.labels.tolist()] for e in (0, 1)]
    for epoch in epochs:
        assert len(set(epoch)) == 20
    assert epochs[0] != epochs[1]
    truth = rows_of(log.train)
    assert all(row == truth[int(row[2])] for batch in batches for row in rows_of(batch))


def test_without_steps_one_epoch():
    assert len(list(log_of(23).batches(5))) == 4
    assert list(log_of(23).batches(5, steps=0)) == []
    assert len(list(log_of(5).batches(5, steps=3))) == 3


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, steps):
        return [batch.labels.tolist() for batch in log_of(30).batches(6, seed=seed, steps=steps)]

    assert order(1, 9) == order(1, 9)
    assert order(1, 9)[:4] == order(1, 4)
    assert order(1, 9) != order(2, 9)
    # closed form, so that the order is the same in every release: PCG64 of [seed, epoch]
    want = np.random.Generator(np.random.PCG64([1, 1])).permutation(30)[:6].tolist()
    assert order(1, 6)[5] == want


def test_a_log_describes_itself():
    log = log_of(8)
    assert log.num_dense == 2
    assert repr(log) == "ClickLog(numbered: 8 + 3 rows, 2 dense, user(1000), bag(1000))"
    assert (log.best_auc, log.best_log_loss, log.note) == (None, None, "")


def test_batch_refusals():
    good = numbered(4)
    with pytest.raises(ValueError, match=r"same number of rows, got {'dense': 3, 'sparse': 4, 'labels': 4}"):
        Batch(good.dense[:3], good.sparse, good.labels)
    with pytest.raises(ValueError, match=r"dense must be a float32 tensor of 2 dimension\(s\), got float64"):
        Batch(good.dense.double(), good.sparse, good.labels)
    with pytest.raises(ValueError, match=r"labels must be a float32 tensor .* got float32 of shape \(4, 1\)"):
        Batch(good.dense, good.sparse, good.labels[:, None])
    with pytest.raises(ValueError, match=r"dense must be a float32 tensor .* got list"):
        Batch([[1.0]], good.sparse, good.labels)
    for rank, world_size in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="need 0 <= rank < world_size"):
            good.shard(rank, world_size)
    with pytest.raises(ValueError, match=r"rows\(2, 9\)"):
        good.rows(2, 9)
    with pytest.raises(ValueError, match="batches is empty"):
        concat_batches([])
    with pytest.raises(ValueError, match=r"number of dense features, got \[1, 2\]"):
        concat_batches([good, dataclasses.replace(good, dense=good.dense[:, :1])])
    shared = np.zeros((4, 2), dtype=np.float32)
    assert Batch(shared, good.sparse, good.labels).dense.data_ptr() == shared.ctypes.data


def test_log_refusals():
    log = log_of(8)
    for size in (0, 9, -1):
        with pytest.raises(ValueError, match=rf"batch_size={size}: must lie in 1\.\.8"):
            log.batches(size)
    with pytest.raises(ValueError, match="steps=-1"):
        log.batches(2, steps=-1)
    with pytest.raises(ValueError, match=r"test: id 502 of feature 'user' is out of range: .* ids 0\.\.501"):
        dataclasses.replace(log, features=[FeatureSpec("user", 502), FeatureSpec("bag", 1000)])
    with pytest.raises(ValueError, match=r"features are \['bag', 'user'\], but the keys of train"):
        dataclasses.replace(log, features=log.features[::-1])
    with pytest.raises(ValueError, match="train has 2 dense features, test has 1"):
        dataclasses.replace(log, test=dataclasses.replace(log.test, dense=log.test.dense[:, :1]))
    with pytest.raises(ValueError, match="num_embeddings of 'x' must be at least 1"):
        FeatureSpec("x", 0)
    with pytest.raises(ValueError, match="pooling of 'x' must be 'sum' or 'mean', got 'max'"):
        FeatureSpec("x", 3, "max")
