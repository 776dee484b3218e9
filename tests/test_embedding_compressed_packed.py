"""Tables kept in bytes: lookups against torch, updates against the rule on decoded rows, nothing else touched."""

import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pslab.embedding.compressed import Int4Rows, Int8Rows
from pslab.ps import SGD, AdaGrad, Adam, Integers, RowWiseAdaGrad, Zeros

both = pytest.mark.parametrize("kind", [Int8Rows, Int4Rows])
IDS = torch.tensor([3, 11, 3, 0, 19, 7, 7, 7])
OFFSETS = torch.tensor([0, 0, 3, 4, 8])                 # bags [] [3 11 3] [0] [19 7 7 7] []
LAST = torch.tensor([0, 0, 3, 4, 8, 8])


def weight(rows=20, dim=6, seed=0) -> torch.Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@both
def test_lookups_are_those_of_the_decoded_table(kind, pooling):
    table = kind.from_rows(weight(), pooling).eval()
    dense = table.rows(torch.arange(20))
    expected = F.embedding_bag(IDS, dense, OFFSETS, mode=pooling)
    torch.testing.assert_close(table(IDS, OFFSETS), expected)
    torch.testing.assert_close(table(IDS.reshape(2, 4)), F.embedding_bag(IDS.reshape(2, 4), dense, mode=pooling))
    last = kind.from_rows(weight(), pooling, include_last_offset=True).eval()
    torch.testing.assert_close(last(IDS, LAST), expected)
    assert torch.equal(table(IDS[:0], torch.tensor([0, 0])), torch.zeros(2, 6))
    assert table(IDS[:0].reshape(0, 3)).shape == (0, 6)
    assert torch.equal(kind.from_rows(weight(), "none")(IDS.reshape(4, 2)), dense[IDS].reshape(4, 2, 6))


def test_lookups_are_those_of_torchs_packed_tables():
    rows, weights = weight(), torch.rand(8)
    for kind, pack, lookup in ((Int8Rows, torch.ops.quantized.embedding_bag_byte_prepack,
                                torch.ops.quantized.embedding_bag_byte_rowwise_offsets),
                               (Int4Rows, torch.ops.quantized.embedding_bag_4bit_prepack,
                                torch.ops.quantized.embedding_bag_4bit_rowwise_offsets)):
        table = kind.from_rows(rows).eval()
        theirs = lookup(pack(rows), IDS, LAST, mode=0, per_sample_weights=weights, include_last_offset=True)
        torch.testing.assert_close(table(IDS, OFFSETS, per_sample_weights=weights), theirs)
        # And torch reads the bytes that we wrote.
        torch.testing.assert_close(lookup(table.packed, IDS, LAST, include_last_offset=True), table(IDS, OFFSETS))


@both
def test_only_the_rows_that_are_touched_are_decoded_and_written(kind, monkeypatch):
    table = kind(1000, 8, rule=SGD(0.5), seed=1)
    decoded, encoded = [], []
    decode, encode = table.codec.decode, table.codec.encode
    monkeypatch.setattr(table.codec, "decode", lambda packed: decoded.append(len(packed)) or decode(packed))
    monkeypatch.setattr(table.codec, "encode", lambda rows, how=None: encoded.append(len(rows)) or encode(rows, how))
    before = table.packed.clone()
    table(IDS, OFFSETS).sum().backward()
    assert decoded == [5]
    assert encoded == []
    assert table.step() == 5
    assert decoded == [5, 5]
    assert encoded == [5]
    changed = (table.packed != before).any(dim=1).nonzero()[:, 0].tolist()
    assert changed == [0, 3, 7, 11, 19]


@pytest.mark.parametrize("rule", [SGD(0.25), AdaGrad(0.1), RowWiseAdaGrad(0.1), Adam(0.1)],
                         ids=lambda rule: type(rule).__name__)
@both
def test_a_step_is_the_rule_on_the_decoded_rows(kind, rule):
    table = kind.from_rows(weight(), rule=rule, rounding="nearest")
    rows, state = table.rows(torch.arange(20)).numpy(), rule.new_state(20, 6)
    touched = np.array([0, 3, 7, 11, 19])
    for t in range(1, 4):
        upstream = torch.randn(5, 6, generator=torch.Generator().manual_seed(t))
        dense = torch.from_numpy(rows.copy()).requires_grad_()
        F.embedding_bag(IDS, dense, OFFSETS, mode="sum").backward(upstream)
        own, own_state = rows[touched], state[:, touched]
        rule.step(own, dense.grad.numpy()[touched], own_state, t)
        rows[touched], state[:, touched] = table.codec.decode(table.codec.encode(own)), own_state
        table(IDS, OFFSETS).backward(upstream)
        table.step()
        np.testing.assert_allclose(table.rows(torch.arange(20)), rows, rtol=0, atol=1e-6)
        np.testing.assert_allclose(table.state, state, rtol=1e-5, atol=1e-7)
    assert int(table.steps) == 3
    assert table.state_bytes() == 4 * rule.slots * 20 * rule.state_width(6)


@both
def test_gradients_of_several_lookups_and_of_equal_ids_are_one_step(kind):
    """AdaGrad with two gradients of 1 steps by lr · 2 / √4, not twice: 0.5 from 8, in rows that bytes hold exactly."""
    first = np.tile(np.float32([8, 0, 15, 8]), (4, 1))
    table = kind.from_rows(first, rule=AdaGrad(0.5), rounding="nearest")
    ones = torch.tensor([[1.0, 0, 0, 1.0]])
    (table(torch.tensor([[2]])) * ones).sum().backward()
    (table(torch.tensor([[2]])) * ones).sum().backward()
    assert table.step() == 1
    assert table.state[0, 2].tolist() == [4, 0, 0, 4]
    table.update([1, 1], torch.cat([ones, ones]))
    assert torch.equal(table.state[0, 1], table.state[0, 2])
    assert torch.equal(table.packed[1], table.packed[2])
    assert table.state[0, 0].tolist() == [0, 0, 0, 0]


@both
def test_reading_takes_no_note(kind):
    table = kind(20, 6)
    before = table.packed.clone()
    assert not table.eval()(IDS, OFFSETS).requires_grad
    with torch.no_grad():
        table.train()(IDS, OFFSETS)
    assert table.step() == 0
    table(IDS, OFFSETS).sum().backward()
    table.zero_grad()
    assert table.step() == 0
    assert torch.equal(table.packed, before)


def test_bytes_and_memory():
    assert [Int8Rows(30, 16).bytes(), Int4Rows(30, 16).bytes()] == [30 * 24, 30 * 12]
    assert Int8Rows(30, 16).packed.shape == (30, 24)
    tracemalloc.start()
    Int4Rows(40_000, 32, rule=SGD(0.1))                 # 5.1 MB in float32
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6


def test_first_rows():
    table = Int8Rows(5000, 4, init=Integers(-100, 100, seed=3), name="t")
    exact = Integers(-100, 100, seed=3).rows(range(5000), 4, "t")
    assert np.abs(table.rows(torch.arange(5000)).numpy() - exact).max() <= 200 / 255 * 0.51
    assert torch.equal(Int8Rows(9, 4, seed=1).packed, Int8Rows(9, 4, seed=1).packed)
    assert not torch.equal(Int8Rows(9, 4, seed=1).packed, Int8Rows(9, 4, seed=2).packed)
    assert Int4Rows(9, 4, init=Zeros()).rows([8]).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(("call", "says"), [
    (lambda: Int4Rows(5, 3), "dim=3"),
    (lambda: Int8Rows(0, 4), "num_embeddings=0"),
    (lambda: Int8Rows(5, True), "embedding_dim=True"),
    (lambda: Int8Rows(5, 4, "max"), "pooling='max'; allowed: sum, mean, none"),
    (lambda: Int8Rows(5, 4, rounding="up"), "rounding='up'; allowed: stochastic, nearest"),
    (lambda: Int8Rows(5, 4, rule=0.1), "rule=0.1"),
    (lambda: Int8Rows(5, 4, seed=-1), "seed=-1"),
    (lambda: Int8Rows(5, 4)(torch.tensor([[5]])), r"ids hold 5; the table has ids 0\.\.4"),
    (lambda: Int8Rows(5, 4)(torch.tensor([[-1]])), "ids hold -1"),
    (lambda: Int8Rows(5, 4)(torch.tensor([[1.0]])), "type torch.float32"),
    (lambda: Int8Rows(5, 4)(torch.tensor([1, 2])), "without offsets"),
    (lambda: Int8Rows(5, 4)(torch.tensor([1, 2]), torch.tensor([0, 2, 1])), "offsets fall from 2 to 1 at place 2"),
    (lambda: Int8Rows(5, 4)(torch.tensor([1, 2]), torch.tensor([1, 2])), "offsets run from 1 to 2 with 2 ids"),
    (lambda: Int8Rows(5, 4)(torch.tensor([1, 2]), torch.tensor([0, 3])), "offsets run from 0 to 3 with 2 ids"),
    (lambda: Int8Rows(5, 4)(torch.tensor([1, 2]), torch.tensor([], dtype=torch.int64)), "to which bags"),
    (lambda: Int8Rows(5, 4, include_last_offset=True)(torch.tensor([1, 2]), torch.tensor([0, 1])), "end at"),
    (lambda: Int8Rows(5, 4, "mean")(torch.tensor([[1]]), per_sample_weights=torch.ones(1, 1)), "pooling 'sum'"),
    (lambda: Int8Rows(5, 4, "none")(torch.tensor([1]), torch.tensor([0])), "this one is 'none'"),
    (lambda: Int8Rows(5, 4).update([1, 9], np.ones((2, 4))), "ids hold 9"),
    (lambda: Int8Rows(5, 4).update([1], np.ones((2, 4))), r"\(n,\) and \(n, 4\)"),
])
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@both
def test_an_update_that_cannot_be_kept_changes_nothing(kind):
    table = kind.from_rows(weight(), rule=SGD(1.0 if kind is Int8Rows else 1e6))
    packed, state = table.packed.clone(), table.state.clone()
    grads = np.ones((2, 6), np.float32)
    grads[1, 3] = np.nan
    with pytest.raises(ValueError, match="gradient of id 9 holds NaN"):
        table.update([4, 9], grads)
    with pytest.raises(ValueError, match=r"step 1 of ids \[4, 9\] cannot be kept, nothing was updated: row 0 .*id 4"):
        table.update([4, 9], np.tile([1.0, -1.0], (2, 3)) * (3e38 if kind is Int8Rows else 1))
    assert torch.equal(table.packed, packed)
    assert torch.equal(table.state, state)
    assert int(table.steps) == 0
