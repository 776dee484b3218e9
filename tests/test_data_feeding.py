"""A partitioned data set: the guarantees of torch's DistributedSampler, held against it index by index."""

from collections import Counter

import pytest
import torch
from torch.utils.data import DistributedSampler

from pslab.data import Partition

SIZES = [(10, 4), (12, 4), (3, 4), (1, 3), (7, 1), (0, 2), (101, 8), (8, 3)]


def torchs(rows, K, rank, epoch, seed, shuffle, drop):
    sampler = DistributedSampler(range(rows), K, rank, shuffle=shuffle, seed=seed, drop_last=drop)
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("at_end", ["pad", "drop"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("rows", "K"), SIZES)
def test_rows_are_dealt_as_torchs_sampler_deals_them(rows, K, shuffle, at_end):
    ours = Partition(rows, K, seed=5, shuffle=shuffle, at_end=at_end)
    for epoch in (0, 3):
        for rank in range(K):
            theirs = torchs(rows, K, rank, epoch, 5, shuffle, at_end == "drop")
            assert ours.of(rank, epoch).tolist() == theirs


@pytest.mark.parametrize("at_end", ["pad", "drop", "uneven"])
@pytest.mark.parametrize(("rows", "K"), SIZES)
def test_shares_are_disjoint_and_complete_but_for_what_is_said(rows, K, at_end):
    partition = Partition(rows, K, seed=1, at_end=at_end)
    for epoch in range(3):
        dealt = [partition.of(rank, epoch) for rank in range(K)]
        again = [partition.padding_of(rank, epoch) for rank in range(K)]
        once = Counter(row for mine, mask in zip(dealt, again) for row in mine[~mask].tolist())
        assert sorted(once) == sorted(set(range(rows)) - set(partition.left_out(epoch).tolist()))
        assert set(once.values()) <= {1}, "but for the padding no row is two workers'"
        lengths = {len(mine) for mine in dealt}
        assert sum(map(len, dealt)) == partition.padded_rows
        assert max(lengths) - min(lengths) <= (at_end == "uneven")
        extra = sum(int(mask.sum()) for mask in again)
        assert (extra, len(partition.left_out(epoch))) == {
            "pad": (-rows % K if rows else 0, 0), "drop": (0, rows % K), "uneven": (0, 0)}[at_end]


def test_each_epoch_is_another_order_that_can_be_repeated():
    partition = Partition(1000, 3, seed=7)
    first, second = partition.of(0, 0), partition.of(0, 1)
    assert first.tolist() != second.tolist()
    assert first.tolist() == Partition(1000, 3, seed=7).of(0, 0).tolist()
    assert first.tolist() != Partition(1000, 3, seed=8).of(0, 0).tolist()
    moved = len(set(first.tolist()) - set(second.tolist()))
    assert moved > 150, "a worker sees other rows in the next epoch"
    plain = Partition(999, 3, shuffle=False)
    assert plain.of(1, 0).tolist() == plain.of(1, 9).tolist() == list(range(1, 999, 3))


def test_what_is_left_out_changes_with_the_epoch():
    partition = Partition(11, 4, at_end="drop")
    assert len({tuple(partition.left_out(epoch).tolist()) for epoch in range(8)}) > 1


def test_the_generator_of_the_caller_stays_as_it_is():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Partition(100, 2).of(0, 0)
    assert torch.equal(torch.rand(1), expected)


def test_batches_are_the_share_in_its_order():
    partition = Partition(23, 3, seed=2)
    batches = list(partition.batches(1, 4, 3))
    assert [len(b) for b in batches] == [3, 3, 2]
    assert torch.cat(batches).tolist() == partition.of(1, 4).tolist()


def test_padding_is_shown():
    assert Partition(5, 3, shuffle=False).text(0).splitlines() == [
        "worker 0: 0 3", "worker 1: 1 4", "worker 2: 2 [0]", "dealt twice in epoch 0, in brackets: 1 of 5 rows"]
    assert Partition(5, 3, shuffle=False, at_end="drop").text(2).splitlines() == [
        "worker 0: 0", "worker 1: 1", "worker 2: 2", "left out in epoch 2: 3 4"]
    assert Partition(5, 3, shuffle=False, at_end="uneven").text(1).splitlines() == [
        "worker 0: 0 3", "worker 1: 1 4", "worker 2: 2", "epoch 1: every row exactly once"]
    assert Partition(2, 4, shuffle=False).text(0).splitlines()[2:] == [
        "worker 2: [0]", "worker 3: [1]", "dealt twice in epoch 0, in brackets: 2 of 2 rows"]


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Partition(-1, 2), "rows=-1; a whole number from 0 on"),
    (lambda: Partition(2.5, 2), "rows=2.5; a whole number"),
    (lambda: Partition(5, 0), "K=0; a whole number from 1 on"),
    (lambda: Partition(5, 2, seed=-3), "seed=-3; a whole number from 0 on"),
    (lambda: Partition(5, 2, at_end="wrap"), "at_end='wrap'; allowed: 'pad', 'drop', 'uneven'"),
    (lambda: Partition(5, 2).of(2, 0), "rank=2; workers run from 0 to 1"),
    (lambda: Partition(5, 2).of(0, -1), "epoch=-1; a whole number from 0 on"),
    (lambda: list(Partition(5, 2).batches(0, 0, 0)), "size=0; a whole number from 1 on"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
