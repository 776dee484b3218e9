"""A fixed case worked by hand, the common sizes, and the same weights in TorchRec's modules."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F

from pslab.data import KeyedJaggedTensor
from pslab.embedding import EmbeddingBagConfig
from pslab.models import (
    DLRM,
    DLRM_CONFIGS,
    cat_interaction,
    dlrm_config,
    dot_interaction,
    from_torchrec,
    to_torchrec,
    torchrec_columns,
)

TWO = [EmbeddingBagConfig(3, 2, "a"), EmbeddingBagConfig(3, 2, "b")]


def set_to(parameter, values):
    with torch.no_grad():
        parameter.copy_(torch.tensor(values, dtype=torch.float32))


def by_hand(interaction, first_top):
    """One sample. x = (1, 2): bottom W x + b = (1·1 + 0·2 + 1, 1·1 - 1·2 + 4) = (2, 3), ReLU leaves both.

    Row 1 of a is (1, 4), rows 0 and 2 of b add up to (-1, 0) + (2, 1) = (1, 1).
    """
    model = DLRM(2, TWO, bottom=(2,), top=(1,), interaction=interaction)
    set_to(model.bottom[0].weight, [[1, 0], [1, -1]])
    set_to(model.bottom[0].bias, [1, 4])
    set_to(model.embeddings.tables["a"].weight, [[9, 9], [1, 4], [9, 9]])
    set_to(model.embeddings.tables["b"].weight, [[-1, 0], [9, 9], [2, 1]])
    set_to(model.top[0].weight, [first_top])
    set_to(model.top[0].bias, [0.5])
    return model(torch.tensor([[1.0, 2.0]]), KeyedJaggedTensor(["a", "b"], [1, 0, 2], [1, 2])).tolist()


def test_dot_worked_by_hand():
    """z = (2, 3), a = (1, 4), b = (1, 1): a·z = 2 + 12 = 14, b·z = 2 + 3 = 5, b·a = 1 + 4 = 5.

    The top sees (2, 3, 14, 5, 5); with weights (1, 10, 100, 1000, 10000): 2 + 30 + 1400 + 5000 + 50000 + 0.5.
    """
    assert by_hand("dot", [1, 10, 100, 1000, 10000]) == [56432.5]


def test_concatenation_worked_by_hand():
    """The top sees (2, 3, 1, 4, 1, 1): 2 + 30 + 100 + 4000 + 10000 + 100000 + 0.5."""
    assert by_hand("cat", [1, 10, 100, 1000, 10000, 100000]) == [114132.5]


def test_concatenation_of_several_rows():
    dense, bags = torch.arange(6.0).view(2, 3), torch.arange(100.0, 118).view(2, 3, 3)
    out = cat_interaction(dense, bags)
    assert out.tolist() == [[0, 1, 2, *range(100, 109)], [3, 4, 5, *range(109, 118)]]


def test_wrong_interaction():
    with pytest.raises(ValueError, match="interaction='sum'; allowed: 'dot', 'cat'"):
        DLRM(2, TWO, (2,), (1,), interaction="sum")


# P by hand: (inputs + 1) x outputs of every layer; the dot's top begins with D + 27·26/2 = D + 351, cat's with 27 D.
SIZES = {("small", "dot"): (14 * 64 + 65 * 16, 368 * 64 + 65 * 32 + 33),
         ("kaggle", "dot"): (14 * 512 + 513 * 256 + 257 * 64 + 65 * 16, 368 * 512 + 513 * 256 + 257),
         ("terabyte", "dot"): (14 * 512 + 513 * 256 + 257 * 64, 416 * 512 + 513 * 512 + 513 * 256 + 257),
         ("mlperf", "dot"): (14 * 512 + 513 * 256 + 257 * 128,
                             480 * 1024 + 1025 * 1024 + 1025 * 512 + 513 * 256 + 257),
         ("kaggle", "cat"): (14 * 512 + 513 * 256 + 257 * 64 + 65 * 16, 433 * 512 + 513 * 256 + 257)}


@pytest.mark.parametrize(("name", "interaction"), SIZES)
def test_the_common_sizes(name, interaction):
    config = dlrm_config(name, interaction=interaction, rows=3)
    model = config.model()
    assert config.dense_parameters == sum(SIZES[name, interaction])
    assert sum(p.numel() for p in model.bottom.parameters()) == SIZES[name, interaction][0]
    assert sum(p.numel() for p in model.top.parameters()) == SIZES[name, interaction][1]
    ids = KeyedJaggedTensor([f"c{c}" for c in range(1, 27)], [c % 3 for c in range(52)], [1] * 52)
    assert model(torch.ones(2, 13), ids).shape == (2,)
    assert {(t.weight.shape[0], t.weight.shape[1]) for t in model.embeddings.tables.values()} == {(3, config.dim)}


def test_rows_may_differ_by_table_and_the_seed_draws_all():
    config = dlrm_config("small", rows=tuple(range(2, 28)))
    assert [table.num_embeddings for table in config.tables()] == list(range(2, 28))
    first, again, other = config.model(1), config.model(1), config.model(2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters()))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters()))
    with pytest.raises(ValueError, match="one for each of 26"):
        dlrm_config("small", rows=(2, 3)).tables()
    with pytest.raises(ValueError, match="configuration 'large' is not known; there are small, kaggle"):
        dlrm_config("large")
    assert all(config.bottom[-1] == config.dim for config in DLRM_CONFIGS.values())


# ---- TorchRec's modules, the same weights ------------------------------------------------------------------------

def fixed_case(interaction="dot"):
    """Three features, D = 4, four samples: weights are small multiples of 1/8 by a formula, no generator."""
    tables = [EmbeddingBagConfig(5, 4, "a", ["f0"]), EmbeddingBagConfig(7, 4, "b", ["f1"]),
              EmbeddingBagConfig(3, 4, "c", ["f2"])]
    model = DLRM(2, tables, bottom=(5, 4), top=(6, 3, 1), interaction=interaction)
    for number, parameter in enumerate(model.parameters()):
        place = torch.arange(parameter.numel()).view_as(parameter)
        set_to(parameter, (((place * (number + 3) + number) * 5 % 11 - 4) / 8).tolist())
    dense = torch.tensor([[1.0, 0.5], [0.25, 2.0], [-1.0, 1.5], [0.0, 3.0]])
    ids = [4, 0, 1, 3, 2, 6, 5, 0, 0, 2, 1, 2], [1, 2, 0, 1, 1, 1, 2, 0, 1, 1, 1, 1]
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0])
    return model, tables, dense, ids, labels


def outcome(model, logits, labels):
    """Logits, and the gradient of the summed loss by every parameter."""
    F.binary_cross_entropy_with_logits(logits, labels, reduction="sum").backward()
    return logits.detach(), {name: parameter.grad for name, parameter in model.named_parameters()}


def ours():
    model, _, dense, (values, lengths), labels = fixed_case()
    return model, *outcome(model, model(dense, KeyedJaggedTensor(["f0", "f1", "f2"], values, lengths)), labels)


# What torchrec.models.dlrm.DLRM 1.8.0 with torch 2.13.0 gave for fixed_case(), as `theirs()` below runs it.
LOGITS = [0.185051, 0.562054, 0.119408, 0.127201]
GRADIENT_SUMS = {
    "sparse_arch.embedding_bag_collection.embedding_bags.a.weight": -1.61814,
    "sparse_arch.embedding_bag_collection.embedding_bags.b.weight": 15.1645,
    "sparse_arch.embedding_bag_collection.embedding_bags.c.weight": 4.1829,
    "dense_arch.model._mlp.0._linear.weight": -1.87098,
    "dense_arch.model._mlp.0._linear.bias": -0.32339,
    "dense_arch.model._mlp.1._linear.weight": -1.69046,
    "dense_arch.model._mlp.1._linear.bias": -0.0471079,
    "over_arch.model.0._mlp.0._linear.weight": 5.99604,
    "over_arch.model.0._mlp.0._linear.bias": 0.383515,
    "over_arch.model.0._mlp.1._linear.weight": 17.6667,
    "over_arch.model.0._mlp.1._linear.bias": 1.13887,
    "over_arch.model.1.weight": 2.03163,
    "over_arch.model.1.bias": 0.244633,
}


def test_as_torchrec_gave_it():
    _model, logits, gradients = ours()
    torch.testing.assert_close(logits, torch.tensor(LOGITS), rtol=1e-5, atol=1e-5)
    weighed = {name: float((grad.flatten() * torch.arange(1, grad.numel() + 1)).sum())
               for name, grad in to_torchrec(gradients, 3).items()}
    assert weighed == pytest.approx(GRADIENT_SUMS, rel=1e-4, abs=1e-4)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("torchrec") is None, reason="TorchRec is not installed (make torchrec)")
def test_torchrec_live():
    _model, logits, gradients = ours()
    their_logits, their_gradients = theirs()
    torch.testing.assert_close(logits, their_logits, rtol=1e-5, atol=1e-6)
    for name, gradient in to_torchrec(gradients, 3).items():
        torch.testing.assert_close(gradient, their_gradients[name], rtol=1e-5, atol=1e-6)


def theirs():
    import torchrec
    from torchrec.models.dlrm import DLRM as Theirs

    model, tables, dense, (values, lengths), labels = fixed_case()
    bags = torchrec.EmbeddingBagCollection(device=torch.device("cpu"), tables=[
        torchrec.EmbeddingBagConfig(name=t.name, embedding_dim=4, num_embeddings=t.num_embeddings,
                                    feature_names=list(t.feature_names)) for t in tables])
    other = Theirs(bags, 2, [5, 4], [6, 3, 1])
    other.load_state_dict(to_torchrec(model.state_dict(), 3))
    sparse = torchrec.KeyedJaggedTensor.from_lengths_sync(["f0", "f1", "f2"], torch.tensor(values),
                                                         torch.tensor(lengths, dtype=torch.int32))
    return outcome(other, other(dense, sparse).squeeze(1), labels)


@pytest.mark.parametrize("interaction", ["dot", "cat"])
def test_names_there_and_back(interaction):
    state = fixed_case(interaction)[0].state_dict()
    there = to_torchrec(state, 3, interaction)
    assert "over_arch.model.0._mlp.1._linear.bias" in there
    back = from_torchrec(there, 3, interaction)
    assert list(back) != []
    assert {name: value.tolist() for name, value in back.items()} == {
        name: value.tolist() for name, value in state.items()}
    with pytest.raises(ValueError, match="'x', which is no parameter of torchrec"):
        from_torchrec({"x": torch.zeros(1)}, 3)
    with pytest.raises(ValueError, match="'x', which is no parameter of a pslab DLRM"):
        to_torchrec({"x": torch.zeros(1)}, 3)


def test_the_order_of_the_pairs():
    """F = 3: ours (1,0) (2,0) (2,1) (3,0) (3,1) (3,2), TorchRec's (0,1) (0,2) (0,3) (1,2) (1,3) (2,3)."""
    assert torchrec_columns(3, 2).tolist() == [0, 1, *[2 + place for place in (0, 1, 3, 2, 4, 5)]]
    vectors = torch.tensor([[2.0], [3.0], [5.0], [7.0]])
    values = dot_interaction(vectors[None, 0], vectors[None, 1:])[0]
    assert values[torchrec_columns(3, 1)].tolist() == [2, 6, 10, 14, 15, 21, 35]
