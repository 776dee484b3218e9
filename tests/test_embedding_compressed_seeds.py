"""From what the first values of compressed tables are drawn: every seed, name and init reaches them."""

import numpy as np
import pytest
import torch

from pslab.embedding import HashedEmbedding, Int4Rows, Int8Rows, MixedDimension, QuotientRemainder, stable_hash
from pslab.ps import SGD, Integers, Uniform

MAKE = {
    "hashed": lambda **options: HashedEmbedding(40, 4, 10, **options),
    "quotient": lambda **options: QuotientRemainder(40, 4, 6, **options),
    "mixed": lambda **options: MixedDimension([4, 36], [4, 2], 4, **options),
    "int8": lambda **options: Int8Rows(40, 4, **options),
    "int4": lambda **options: Int4Rows(40, 4, **options),
}


def values(module):
    return {name: value for name, value in module.state_dict().items() if value.numel() > 1}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("other", [{"seed": 2}, {"name": "other"}, {"init": Integers(-9, 9)}])
def test_every_option_reaches_every_part_of_a_table(kind, other):
    first, same, differs = (values(MAKE[kind](**options)) for options in ({}, {}, other))
    assert all(torch.equal(first[name], same[name]) for name in first)
    equal = {name for name in first if torch.equal(first[name], differs[name])}
    assert equal == ({"projections.1"} if kind == "mixed" and "init" in other else set())


def test_a_hash_has_a_seed_and_its_rows_another():
    both, of_rows = (HashedEmbedding(None, 4, 50, seed=3, init_seed=init_seed) for init_seed in (None, 8))
    ids = torch.arange(1000)
    assert torch.equal(both.rows_of(ids), of_rows.rows_of(ids))
    assert torch.equal(both.weight, torch.from_numpy(Uniform(0.1, 3).rows(range(50), 4, "")))
    assert torch.equal(of_rows.weight, torch.from_numpy(Uniform(0.1, 8).rows(range(50), 4, "")))


def test_signs_are_drawn_by_a_hash_of_their_own():
    """The top bit of a hash by another seed: a trained table relies on both."""
    ids = np.arange(64)
    top = stable_hash(ids, 5 ^ 0x5BD1E995) >> np.uint64(63)
    assert HashedEmbedding(None, 2, 10, signed=True, seed=5).signs_of(ids).tolist() == (1 - 2.0 * top).tolist()
    assert (top != stable_hash(ids, 5) >> np.uint64(63)).any()


def test_the_parts_of_a_table_are_not_drawn_alike():
    quotient = QuotientRemainder(36, 4, 6)
    assert not torch.equal(quotient.quotient, quotient.remainder)
    mixed = MixedDimension([5, 5], [2, 2], 4, project_all=True)
    assert not torch.equal(*mixed.blocks)
    assert not torch.equal(mixed.projections["0"], mixed.projections["1"])


@pytest.mark.parametrize(("op", "limit"), [("sum", 0.05), ("product", 0.1**0.5), ("concat", 0.1)])
def test_a_row_of_quotient_and_remainder_begins_within_a_tenth(op, limit):
    table = QuotientRemainder(10_000, 8, 100, op)
    for part in (table.quotient, table.remainder):
        assert limit * 0.98 < part.abs().max() <= limit
    assert 0.09 < table(torch.arange(10_000)[:, None]).abs().max() <= 0.1 + 1e-7


def test_a_projection_keeps_the_variance_of_a_row():
    table = MixedDimension([4000], [3], 64, init=Uniform(0.1))
    rows = table(torch.arange(4000)[:, None])
    assert abs(float((rows.var() / table.blocks[0].var()).detach()) - 1) < 0.3
    assert table.projections["0"].abs().max() <= 1
    assert table.projections["0"].abs().max() > 0.95


@pytest.mark.parametrize("kind", [Int8Rows, Int4Rows])
def test_every_block_of_a_new_table_has_its_own_rows(kind):
    """4,096 rows are packed at a time."""
    first = Uniform(0.1, 1)
    table = kind(9000, 2, init=first, name="t")
    expected = kind.from_rows(first.rows(range(9000), 2, "t")).packed
    assert torch.equal(table.packed, expected)


def test_each_step_has_a_draw_of_its_own_and_nearest_has_none():
    """A gradient of 0 leaves a row between two levels where it was, or draws anew."""
    rows = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (1, 1))
    for rounding, draws in (("stochastic", True), ("nearest", False)):
        table = Int8Rows.from_rows(rows, rule=SGD(1.0), rounding=rounding, seed=4)
        moved, grads = [], np.full_like(rows, -0.3 / 255)
        grads[0, [0, -1]] = 0
        for _ in range(2):
            table.packed.copy_(Int8Rows.from_rows(rows).packed)
            before = table.packed.clone()
            table.update([0], grads)
            moved.append((table.packed != before)[0])
        assert bool(moved[0].any()) == bool(moved[1].any()) == draws
        assert torch.equal(*moved) == (not draws)
        assert int(table.steps) == 2
