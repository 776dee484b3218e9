"""Hashing, quotient and remainder, mixed dimensions: each against its table written out in full."""

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pslab.embedding.compressed import (
    HashedEmbedding,
    MixedDimension,
    QuotientRemainder,
    collisions,
    expected_rows_used,
    popularity_dims,
    stable_hash,
)
from pslab.ps import Integers

R, D = 23, 4
IDS = torch.tensor([3, 11, 3, 0, 22, 7, 7, 21])
OFFSETS = torch.tensor([0, 0, 3, 4, 8])                 # bags [] [3 11 3] [0] [22 7 7 21] []
COUNTS = np.array([(id_ * 7) % 23 ** 2 for id_ in range(R)])


def hashed(**options):
    return HashedEmbedding(R, D, 6, seed=5, **options)


MODULES = {
    "hashed": hashed,
    "signed": lambda **options: hashed(signed=True, **options),
    "sum": lambda **options: QuotientRemainder(R, D, 5, "sum", **options),
    "product": lambda **options: QuotientRemainder(R, D, 5, "product", **options),
    "concat": lambda **options: QuotientRemainder(R, D, 5, "concat", **options),
    "mixed": lambda **options: MixedDimension([3, 8, 12], [4, 2, 1], D, **options),
    "mixed by counts": lambda **options: MixedDimension([3, 8, 12], [4, 2, 1], D, counts=COUNTS, **options),
    "mixed, all projected": lambda **options: MixedDimension([11, 12], [4, 3], D, project_all=True, **options),
}
each = pytest.mark.parametrize("name", MODULES)


def written_out(module) -> torch.Tensor:
    """(R, D): the row of every id, from the parameters, as a matrix of choices times the parameters."""
    def chosen(rows, of):
        return torch.eye(rows, dtype=torch.float64).to(of.dtype)[torch.tensor(places)] @ of

    if isinstance(module, HashedEmbedding):
        places = [int(stable_hash(np.array([id_]), 5)[0]) % 6 for id_ in range(R)]
        return module.signs_of(range(R))[:, None] * chosen(6, module.weight)
    if isinstance(module, QuotientRemainder):
        places = [id_ // 5 for id_ in range(R)]
        left = chosen(5, module.quotient)
        places = [id_ % 5 for id_ in range(R)]
        right = chosen(5, module.remainder)
        return {"sum": left + right, "product": left * right, "concat": torch.cat([left, right], 1)}[module.op]
    blocks = [block @ module.projections[str(i)] if str(i) in module.projections else block
              for i, block in enumerate(module.blocks)]
    order = range(R) if module.rank is None else sorted(range(R), key=lambda id_: (-COUNTS[id_], id_))
    places = [list(order).index(id_) for id_ in range(R)]
    return chosen(R, torch.cat(blocks))


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@each
def test_forward_and_backward_are_those_of_the_table_written_out(name, pooling):
    module = MODULES[name](pooling=pooling).double()
    weights = torch.arange(1.0, 9, dtype=torch.float64) if pooling == "sum" else None
    upstream = torch.randn(5, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    parameters = list(module.parameters())
    expected = F.embedding_bag(IDS, written_out(module), OFFSETS, mode=pooling, per_sample_weights=weights)
    theirs = torch.autograd.grad(expected, parameters, upstream, allow_unused=True)
    got = module(IDS, OFFSETS, per_sample_weights=weights)
    torch.testing.assert_close(got, expected)
    ours = torch.autograd.grad(got, parameters, upstream, allow_unused=True)
    assert any(grad.abs().max() > 0 for grad in ours)
    for own, their in zip(ours, theirs):
        torch.testing.assert_close(own, their)
    torch.testing.assert_close(module(torch.arange(R)[:, None]), written_out(module))
    assert torch.equal(module(IDS[:0], torch.tensor([0, 0])), torch.zeros(2, D, dtype=torch.float64))


@each
def test_gradcheck(name):
    module = MODULES[name]().double()
    names = [key for key, _ in module.named_parameters()]

    def pooled(*values):
        return torch.func.functional_call(module, dict(zip(names, values)), (IDS, OFFSETS))

    assert torch.autograd.gradcheck(pooled, tuple(p.detach().clone().requires_grad_() for p in module.parameters()))


@each
def test_it_learns(name):
    """Rows of a target of the module's own kind are reached by plain descent: every parameter gets its gradient."""
    module, target = MODULES[name](seed=3) if "hashed" not in name and name != "signed" else hashed(
        signed=name == "signed", init_seed=3), MODULES[name]()
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.mul_(5)
        wanted = target(torch.arange(R)[:, None])
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = (module(torch.arange(R)[:, None]) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


def test_bytes():
    values = {"hashed": 6 * 4, "signed": 6 * 4, "sum": (5 + 5) * 4, "product": (5 + 5) * 4, "concat": (5 + 5) * 2,
              "mixed": 3 * 4 + 8 * 2 + 12 * 1 + 2 * 4 + 1 * 4, "mixed by counts": 12 + 16 + 12 + 8 + 4,
              "mixed, all projected": 11 * 4 + 12 * 3 + 4 * 4 + 3 * 4}
    assert {name: make().bytes() for name, make in MODULES.items()} == {name: 4 * n for name, n in values.items()}
    assert MODULES["mixed by counts"]().index_bytes() == 8 * R
    assert MODULES["mixed"]().index_bytes() == 0
    assert MODULES["sum"]().double().bytes() == 8 * 40


# ---- hashing ------------------------------------------------------------------------------------------------------


def test_the_hash_is_the_same_for_good():
    """Numbers worked out by hand from SplitMix64's steps; a table that was trained relies on them."""
    def mixed(x):
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    golden, ids = 0x9E3779B97F4A7C15, [0, 1, 2, 10**12, -1, -(2**63)]
    for seed in (0, 1, 77):
        start = mixed((seed * golden + 1) % 2**64)
        assert stable_hash(np.array(ids), seed).tolist() == [mixed((i * golden + start) % 2**64) for i in ids]
    assert stable_hash(np.array([0, 1, 2, 3])).tolist()[0] == mixed(mixed(1))
    assert len(set(stable_hash(np.arange(100_000)).tolist())) == 100_000


def test_signs_and_rows_are_even_and_seeded():
    table = HashedEmbedding(None, 2, 10, signed=True, seed=1)
    ids = torch.arange(100_000)
    loads, signs = np.bincount(table.rows_of(ids)), table.signs_of(ids)
    assert (np.abs(loads - 10_000) < 5 * np.sqrt(9000)).all()
    assert abs(float(signs.sum())) < 5 * np.sqrt(100_000)
    for row in range(10):                               # signs know nothing of rows
        assert abs(float(signs[table.rows_of(ids) == row].sum())) < 5 * np.sqrt(10_000)
    assert not torch.equal(HashedEmbedding(None, 2, 10, seed=2).rows_of(ids), table.rows_of(ids))
    assert torch.equal(HashedEmbedding(None, 2, 10, seed=1).signs_of(ids[:3]), torch.ones(3))
    assert table(torch.tensor([[-5, 2**62]])).shape == (1, 2)


def test_collisions_against_a_counter():
    table = HashedEmbedding(5000, 2, 800, seed=4)
    load = Counter(table.rows_of(range(5000)).tolist())
    got = table.collisions()
    assert (got.ids, got.rows, got.rows_used, got.largest) == (5000, 800, len(load), max(load.values()))
    assert got.sharing == sum(count for count in load.values() if count > 1)
    some = [7, 7, 12, 3000]
    assert table.collisions(some) == collisions(some, 800, 4)
    assert table.collisions(some).ids == 3
    assert collisions(1, 3).sharing == 0
    assert collisions([], 3).ids == 0


def test_rows_in_use_on_average():
    for ids, rows in ((5, 3), (1000, 1000), (40_000, 300)):
        assert expected_rows_used(ids, rows) == pytest.approx(rows * (1 - (1 - 1 / rows) ** ids), rel=1e-12)
        used = [collisions(ids, rows, seed).rows_used for seed in range(30)]
        assert abs(np.mean(used) - expected_rows_used(ids, rows)) <= 4 * np.sqrt(rows / 30)
    assert [expected_rows_used(5, 1), expected_rows_used(0, 1), expected_rows_used(0, 9)] == [1, 0, 0]


# ---- quotient and remainder ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "m"), [(23, 5), (25, 5), (7, 1), (7, 7), (1, 1), (1000, 32)])
def test_every_id_has_a_pair_of_its_own(rows, m):
    table = QuotientRemainder(rows, 2, m, "concat", init=Integers(0, 2**24))
    assert (len(table.quotient), len(table.remainder)) == (-(-rows // m), m)
    assert len(table(torch.arange(rows)[:, None]).unique(dim=0)) == rows
    assert int((torch.arange(rows) // m).max()) == len(table.quotient) - 1      # no row too many


def test_quotient_and_remainder_are_not_exchanged():
    table = QuotientRemainder(100, 1, 10, "sum")
    with torch.no_grad():
        table.quotient.copy_(torch.arange(10.0)[:, None] * 10)
        table.remainder.copy_(torch.arange(10.0)[:, None])
    assert table(torch.tensor([[23], [99], [7]]))[:, 0].tolist() == [23, 99, 7]


def test_both_tables_get_a_gradient():
    table = QuotientRemainder(R, D, 5, "sum")
    table(torch.tensor([[7, 7, 22]])).sum().backward()
    assert table.quotient.grad[:, 0].tolist() == [0, 2, 0, 0, 1]
    assert table.remainder.grad[:, 0].tolist() == [0, 0, 3, 0, 0]


def test_what_travels():
    ids = torch.tensor([7, 7, 22, 8])                   # quotients 1 1 4 1, remainders 2 2 2 3
    for op, width in (("sum", 16), ("product", 16), ("concat", 8)):
        table = QuotientRemainder(R, 16, 5, op)
        assert (table.wire_rows(ids), table.wire_bytes(ids)) == (8, 8 * width * 4)
        assert (table.wire_rows(ids, dedup=True), table.wire_bytes(ids, dedup=True)) == (4, 4 * width * 4)
    plain = len(ids) * 16 * 4
    assert QuotientRemainder(R, 16, 5).wire_bytes(ids) == 2 * plain
    assert QuotientRemainder(R, 16, 5, "concat").wire_bytes(ids) == plain


# ---- mixed dimensions ---------------------------------------------------------------------------------------------


def test_the_popularity_rule():
    assert popularity_dims([0.5, 0.05, 0.005], 64, 0.0) == [64, 64, 64]
    assert popularity_dims([0.5, 0.05, 0.005], 64, 1.0) == [64, 6, 1]
    assert popularity_dims([0.5, 0.05, 0.005], 64, 0.5) == [64, round(64 * 0.1**0.5), round(64 * 0.01**0.5)]
    assert popularity_dims([0.005, 0.5, 0.0], 64, 0.5) == [6, 64, 1]


def test_blocks_by_popularity_have_equal_shares():
    counts = (1e6 / np.arange(1, 1001)).astype(int)
    shuffled = np.random.default_rng(0).permutation(counts)
    table = MixedDimension.by_popularity(shuffled, 4, 16, 0.5)
    assert sum(table.block_sizes) == 1000
    edges = np.cumsum([0, *table.block_sizes])
    shares = [counts[low:high].sum() / counts.sum() for low, high in zip(edges, edges[1:])]
    assert len(shares) == 4
    assert max(abs(share - 0.25) for share in shares) <= counts[0] / counts.sum()
    mean = [counts[low:high].mean() for low, high in zip(edges, edges[1:])]
    assert list(table.dims) == popularity_dims(mean, 16, 0.5)
    assert table.dims[0] == 16 > table.dims[-1]
    top = int(shuffled.argmax())
    assert torch.equal(table(torch.tensor([[top]]))[0], table.blocks[0][0])         # the first rank: no projection
    assert MixedDimension.by_popularity([5, 1], 4, 8, 0.3).num_embeddings == 2      # fewer ids than blocks
    assert MixedDimension.by_popularity([5, 0, 0, 0], 2, 8, 1.0).dims == (8, 1)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: HashedEmbedding(R, D, 0), "num_rows=0"),
    (lambda: HashedEmbedding(R, D, 5, seed=-1), "seed=-1"),
    (lambda: HashedEmbedding(R, D, 5)(torch.tensor([[R]])), "ids hold 23"),
    (lambda: HashedEmbedding(None, D, 5).collisions(), "say which ids"),
    (lambda: collisions(-1, 5), "ids=-1"),
    (lambda: QuotientRemainder(R, D, 0), "num_remainders=0"),
    (lambda: QuotientRemainder(R, D, R + 1), "num_remainders=24 with 23 ids"),
    (lambda: QuotientRemainder(None, D, 3), "num_embeddings=None"),
    (lambda: QuotientRemainder(R, D, 5, "minus"), "op='minus'; allowed: sum, product, concat"),
    (lambda: QuotientRemainder(R, 3, 5, "concat"), "embedding_dim=3 with op='concat'"),
    (lambda: QuotientRemainder(R, D, 5)(torch.tensor([[R]])), "ids hold 23"),
    (lambda: QuotientRemainder(R, D, 5).wire_rows([R]), "ids hold 23"),
    (lambda: MixedDimension([], [], D), "one block at least"),
    (lambda: MixedDimension([3, 4], [2], D), "one dim for each block"),
    (lambda: MixedDimension([3, 0], [2, 1], D), r"block_sizes\[1\]=0"),
    (lambda: MixedDimension([3, 4], [2, 5], D), "at most that many columns"),
    (lambda: MixedDimension([3, 4], [2, 1], D, counts=[1, 2, 3]), "counts of 3 ids with blocks of 7"),
    (lambda: MixedDimension([1, 1], [2, 1], D, counts=[1, -2]), "one finite number from 0"),
    (lambda: MixedDimension([3, 4], [2, 1], D)(torch.tensor([[7]])), "ids hold 7"),
    (lambda: popularity_dims([1, 2], 8, 1.5), "alpha=1.5"),
    (lambda: popularity_dims([0, 0], 8, 0.5), "popularity of shape"),
    (lambda: MixedDimension.by_popularity([1, 2], 0, 8, 0.5), "num_blocks=0"),
])
def test_what_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
