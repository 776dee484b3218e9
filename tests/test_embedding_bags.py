"""Local embedding bags against torch.nn.EmbeddingBag."""

import numpy as np
import pytest
import torch

from pslab.data import KeyedJaggedTensor
from pslab.embedding import (
    EmbeddingBagCollection,
    EmbeddingBagConfig,
    EmbeddingCollection,
    KeyedTensor,
    fuse,
    table_configs,
)
from pslab.ps import SGD, Integers

# One feature with duplicates inside a bag, an empty bag, one id, no id at all.
BAGS = {"a": [[3, 3, 1], [], [0]], "b": [[2], [4], [2]], "none": [[], [], []]}


def kjt(bags):
    values = [i for rows in bags.values() for row in rows for i in row]
    return KeyedJaggedTensor(list(bags), values, [len(row) for rows in bags.values() for row in rows])


def tables(pooling="sum", dims=(3, 3, 3)):
    return [EmbeddingBagConfig(5, dim, name, pooling=pooling) for name, dim in zip(BAGS, dims)]


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@pytest.mark.parametrize("sparse", [False, True])
def test_equal_to_torch(pooling, sparse):
    ours = EmbeddingBagCollection(tables(pooling, (3, 2, 3)), seed=4, sparse=sparse)
    out = ours(kjt(BAGS))
    assert out.keys == ["a", "b", "none"]
    assert out.length_per_key == [3, 2, 3]
    weights = torch.arange(out.values.numel()).reshape(out.values.shape).float()
    (out.values * weights).sum().backward()
    first = 0
    for name, dim in zip(BAGS, (3, 2, 3)):
        theirs = torch.nn.EmbeddingBag.from_pretrained(ours.tables[name].weight.detach().clone(), freeze=False,
                                                       mode=pooling)
        offsets = np.cumsum([0] + [len(row) for row in BAGS[name]])[:-1]
        expected = theirs(torch.tensor([i for row in BAGS[name] for i in row], dtype=torch.int64),
                          torch.from_numpy(offsets))
        (expected * weights[:, first:first + dim]).sum().backward()
        assert torch.equal(out[name], expected)
        grad = ours.tables[name].weight.grad
        assert grad.is_sparse == sparse
        torch.testing.assert_close(grad.to_dense(), theirs.weight.grad)
        first += dim
    assert not out["none"].any()


def test_one_table_for_two_features():
    shared = [EmbeddingBagConfig(5, 2, "item", ["bought", "seen"])]
    module = EmbeddingBagCollection(shared, init=Integers(-9, 9, seed=1))
    out = module(kjt({"bought": [[1], [2]], "seen": [[2, 2], []]}))
    weight = module.tables["item"].weight
    assert torch.equal(out["bought"], weight[1:3])
    assert torch.equal(out["seen"], torch.stack([2 * weight[2], 0 * weight[0]]))


def test_rows_of_fused_tables_are_the_servers_rows():
    configs = [EmbeddingBagConfig(4, 2, "a"), EmbeddingBagConfig(3, 5, "b"), EmbeddingBagConfig(6, 2, "c")]
    module = EmbeddingBagCollection(configs, seed=7)
    joint = {table.name: table for table in table_configs(configs, SGD(0.1), seed=7)}
    assert [(t.name, t.dim, t.num_rows) for t in joint.values()] == [("embedding_d2", 2, 10), ("embedding_d5", 5, 3)]
    d2 = torch.from_numpy(joint["embedding_d2"].initial_rows())
    assert torch.equal(module.tables["a"].weight, d2[:4])
    assert torch.equal(module.tables["c"].weight, d2[4:])
    assert torch.equal(module.tables["b"].weight, torch.from_numpy(joint["embedding_d5"].initial_rows()))
    assert d2.unique().numel() == d2.numel()            # no row is another's copy


def test_the_seed_reaches_the_rows():
    one, other = (EmbeddingBagCollection(tables(), seed=seed).tables["a"].weight for seed in (1, 2))
    assert not torch.equal(one, other)


def test_fuse_numbers_the_keys():
    (fused,) = fuse([EmbeddingBagConfig(943, 16, "user"), EmbeddingBagConfig(1682, 16, "item"),
                     EmbeddingBagConfig(21, 16, "job")])
    assert (fused.num_rows, fused.first_key) == (2646, (0, 943, 2625))
    assert fused.keys("item") == range(943, 2625)


@pytest.mark.parametrize(("bags", "message"), [
    ({**BAGS, "a": [[5], [], []]}, "feature 'a' holds id 5; table 'a' has rows 0..4"),
    ({"a": BAGS["a"]}, "feature 'b' of table 'b' is missing from the input, which holds a"),
])
def test_bad_input(bags, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingBagCollection(tables())(kjt(bags))


@pytest.mark.parametrize(("arguments", "message"), [
    ((0, 4, "x"), "num_embeddings=0 of table 'x'"),
    ((4, -1, "x"), "embedding_dim=-1"),
    ((4, 2.5, "x"), "embedding_dim=2.5"),
    ((4, 2, "x", ["f"], "max"), "pooling='max'.*sum, mean, none"),
    ((4, 2, "x", "f"), "feature_names='f'"),
    ((4, 2, "a.b"), "name='a.b'"),
    ((4, 2, ""), "name=''"),
])
def test_bad_configurations(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingBagConfig(*arguments)


@pytest.mark.parametrize(("configs", "message"), [
    ([], "at least one"),
    ([EmbeddingBagConfig(4, 2, "x"), EmbeddingBagConfig(4, 2, "x", ["y"])], "table name 'x'"),
    ([EmbeddingBagConfig(4, 2, "x", ["f"]), EmbeddingBagConfig(4, 2, "y", ["f"])], "feature 'f'"),
])
def test_tables_that_clash(configs, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingBagCollection(configs)


def test_keyed_tensor_views_and_refusals():
    out = KeyedTensor(["a", "b"], [1, 2], torch.arange(6.0).reshape(2, 3))
    assert out["b"].tolist() == [[1, 2], [4, 5]]
    assert {name: part.shape for name, part in out.to_dict().items()} == {"a": (2, 1), "b": (2, 2)}
    with pytest.raises(KeyError, match="no feature 'c'; there are a, b"):
        out["c"]
    with pytest.raises(ValueError, match="length_per_key"):
        KeyedTensor(["a"], [2], torch.zeros(2, 3))


# ---- weights, no pooling, double precision -------------------------------------------------------------------------

def weighted(bags, dtype=torch.float32):
    plain = kjt(bags)
    weights = torch.arange(1, len(plain.values) + 1, dtype=dtype) / 2
    return KeyedJaggedTensor(plain.keys, plain.values, plain.lengths, weights=weights.requires_grad_())


@pytest.mark.parametrize("sparse", [False, True])
def test_weighted_bags_equal_torch_and_weights_get_gradients(sparse):
    ours = EmbeddingBagCollection(tables(), seed=4, sparse=sparse, is_weighted=True)
    features = weighted(BAGS)
    out = ours(features)
    factors = torch.arange(out.values.numel()).reshape(out.values.shape).float()
    (out.values * factors).sum().backward()
    own = {name: part.detach().clone().requires_grad_() for name, part in
           zip(BAGS, features.weights.split(features.length_per_key))}
    for place, name in enumerate(BAGS):
        theirs = torch.nn.EmbeddingBag.from_pretrained(ours.tables[name].weight.detach().clone(), freeze=False,
                                                       mode="sum", include_last_offset=True)
        expected = theirs(features[name].values, features[name].offsets, own[name])
        (expected * factors[:, 3 * place:3 * place + 3]).sum().backward()
        assert torch.equal(out[name], expected)
        torch.testing.assert_close(ours.tables[name].weight.grad.to_dense(), theirs.weight.grad)
    assert torch.equal(features.weights.grad, torch.cat([part.grad for part in own.values()]))


def test_weights_are_read_only_where_asked_for():
    plain = EmbeddingBagCollection(tables(), seed=4)
    assert torch.equal(plain(weighted(BAGS)).values, plain(kjt(BAGS)).values)
    with pytest.raises(ValueError, match="is_weighted=True, but feature 'a' comes without weights"):
        EmbeddingBagCollection(tables(), is_weighted=True)(kjt(BAGS))
    with pytest.raises(ValueError, match="is_weighted=True with pooling='mean' of table 'a'"):
        EmbeddingBagCollection(tables("mean"), is_weighted=True)


@pytest.mark.parametrize("kind", ["sum", "mean", "weighted"])
def test_gradients_in_double_precision(kind):
    module = EmbeddingBagCollection(tables("mean" if kind == "mean" else "sum", (2, 3, 2)),
                                    is_weighted=kind == "weighted").double()
    features = weighted(BAGS, torch.float64)
    names = [f"tables.{name}.weight" for name in BAGS]

    def out(weights, *parts):
        given = KeyedJaggedTensor(features.keys, features.values, features.lengths, weights=weights)
        return torch.func.functional_call(module, dict(zip(names, parts)), (given,)).values
    parts = [part.detach().requires_grad_() for part in module.parameters()]
    assert torch.autograd.gradcheck(out, (features.weights, *parts))


def test_without_pooling_every_id_gives_its_row():
    configs = [EmbeddingBagConfig(5, 2, "item", ["bought", "seen"], "none"), EmbeddingBagConfig(4, 3, "b", (), "none")]
    module = EmbeddingCollection(configs, seed=3)
    features = kjt({"seen": [[2, 2], [], [4]], "b": [[], [], []], "bought": [[1], [2], [0, 1]]})
    rows = module(features)
    assert list(rows) == ["bought", "seen", "b"]
    weight = module.tables["item"].weight
    assert torch.equal(rows["seen"].values, torch.nn.functional.embedding(torch.tensor([2, 2, 4]), weight))
    assert [part.shape for part in rows["seen"].to_dense()] == [(2, 2), (0, 2), (1, 2)]
    assert rows["b"].values.shape == (0, 3)
    (rows["seen"].values.sum() + 10 * rows["bought"].values.sum()).backward()
    assert weight.grad.tolist() == [[10, 10], [20, 20], [12, 12], [0, 0], [1, 1]]
    pooled = EmbeddingBagCollection([EmbeddingBagConfig(5, 2, "item"), EmbeddingBagConfig(4, 3, "b")], seed=3)
    assert torch.equal(weight, pooled.tables["item"].weight), "the same first rows"
    sparse = EmbeddingCollection(configs, sparse=True)
    sparse(features)["seen"].values.sum().backward()
    assert sparse.tables["item"].weight.grad.is_sparse


def test_first_and_second_derivatives_without_pooling():
    module = EmbeddingCollection([EmbeddingBagConfig(3, 2, "x", (), "none")]).double()
    features = kjt({"x": [[0, 2, 2], []]})

    def out(weight):
        return torch.func.functional_call(module, {"tables.x.weight": weight}, (features,))["x"].values ** 2
    weight = module.tables["x"].weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(out, (weight,))
    assert torch.autograd.gradgradcheck(out, (weight,))


@pytest.mark.parametrize(("module", "pooling", "message"), [
    (EmbeddingCollection, "sum", "pooling='sum' of table 'a'; 'none' is needed here"),
    (EmbeddingBagCollection, "none", "pooling='none' of table 'a'; 'sum' or 'mean' is needed here"),
    (lambda tables: table_configs(tables, SGD(0.1)), "none", "pooling='none' of table 'a'"),
])
def test_pooling_that_a_collection_has_not(module, pooling, message):
    with pytest.raises(ValueError, match=message):
        module(tables(pooling))


def test_no_bags_at_all():
    out = EmbeddingBagCollection(tables())(kjt({"a": [], "b": [], "none": []}))
    assert out.values.shape == (0, 9)
