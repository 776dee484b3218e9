"""DLRM against hand computation, a loop, torch's layers and numerical gradients."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pslab.data import KeyedJaggedTensor
from pslab.embedding import EmbeddingBagCollection, EmbeddingBagConfig, KeyedTensor
from pslab.models import DLRM, dot_interaction

TABLES = [EmbeddingBagConfig(7, 4, "user"), EmbeddingBagConfig(5, 4, "genre", pooling="mean")]
IDS = KeyedJaggedTensor(["user", "genre"], [3, 0, 3, 1, 1, 4], [1, 1, 1, 2, 0, 1])
DENSE = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0], [-1.0, 0.25, 2.0]])


def loop_interaction(dense, bags):
    out = []
    for b in range(len(dense)):
        vectors = [dense[b], *bags[b]]
        pairs = [sum(float(x) * float(y) for x, y in zip(vectors[i], vectors[j]))
                 for i in range(len(vectors)) for j in range(i)]
        out.append([*dense[b].tolist(), *pairs])
    return torch.tensor(out)


def test_interaction_by_hand():
    dense = torch.tensor([[1.0, 2.0]])
    bags = torch.tensor([[[3.0, 4.0], [5.0, 6.0]]])
    # pairs (1,0): 3+8, (2,0): 5+12, (2,1): 15+24
    assert dot_interaction(dense, bags).tolist() == [[1, 2, 11, 17, 39]]


@pytest.mark.parametrize("features", [1, 2, 5])
def test_interaction_equals_a_loop(features):
    generator = torch.Generator().manual_seed(features)
    dense = torch.randint(-4, 5, (3, 6), generator=generator).float()
    bags = torch.randint(-4, 5, (3, features, 6), generator=generator).float()
    assert torch.equal(dot_interaction(dense, bags), loop_interaction(dense, bags))


def test_interaction_gradients():
    generator = torch.Generator().manual_seed(1)
    dense = torch.randn(2, 3, dtype=torch.double, generator=generator, requires_grad=True)
    bags = torch.randn(2, 4, 3, dtype=torch.double, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(dot_interaction, (dense, bags))
    assert torch.autograd.gradgradcheck(dot_interaction, (dense, bags))


def by_hand(model, dense, ids):
    """The same logits from the parameters alone, with torch's own layers."""
    bags = [F.embedding_bag(ids[t.name].values, model.embeddings.tables[t.name].weight, ids[t.name].offsets,
                            mode=t.pooling, include_last_offset=True) for t in TABLES]
    x = dense
    for layer in (model.bottom[0], model.bottom[2]):
        x = torch.relu(x @ layer.weight.T + layer.bias)
    x = loop_interaction(x.detach(), torch.stack(bags, 1).detach())
    x = torch.relu(x @ model.top[0].weight.T + model.top[0].bias)
    return (x @ model.top[2].weight.T + model.top[2].bias)[:, 0]


def test_logits_equal_the_parts_put_together():
    model = DLRM(3, TABLES, bottom=(8, 4), top=(6, 1), seed=3)
    logits = model(DENSE, IDS)
    assert logits.shape == (3,)
    torch.testing.assert_close(logits, by_hand(model, DENSE, IDS))


def test_gradients_of_the_whole_model():
    model = DLRM(3, TABLES, bottom=(5, 4), top=(5, 1), seed=1).double()
    parameters = dict(model.named_parameters())
    dense = DENSE.double()

    def loss(*values):
        return torch.func.functional_call(model, dict(zip(parameters, values)), (dense, IDS)).square().sum()

    assert torch.autograd.gradcheck(loss, tuple(p.detach().clone().requires_grad_() for p in parameters.values()))


def test_the_seed_decides_every_weight():
    one, same, other = (DLRM(3, TABLES, (8, 4), (6, 1), seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_drawing_weights_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    DLRM(3, TABLES, (8, 4), (6, 1))
    assert torch.equal(before, torch.get_rng_state())


def test_dense_weights_are_drawn_as_nn_linear_draws_them():
    weight = DLRM(50, TABLES, bottom=(200, 4), top=(6, 1)).bottom[0].weight.detach()
    bound = 50 ** -0.5
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert abs(weight.std() / (bound / np.sqrt(3)) - 1) < 0.02


class Doubled(EmbeddingBagCollection):
    def forward(self, features):
        out = super().forward(features)
        return KeyedTensor(out.keys, out.length_per_key, 2 * out.values)


def test_embeddings_can_be_exchanged():
    model = DLRM(3, TABLES, (8, 4), (6, 1), seed=3, embeddings=Doubled(TABLES, seed=3))
    plain = DLRM(3, TABLES, (8, 4), (6, 1), seed=3)
    with torch.no_grad():
        for table in plain.embeddings.tables.values():
            table.weight *= 2
    assert torch.equal(model(DENSE, IDS), plain(DENSE, IDS))


def test_dense_parameters_are_all_but_the_tables():
    model = DLRM(3, TABLES, (8, 4), (6, 1))
    dense = {id(p) for p in model.dense_parameters()}
    assert {id(p) for p in model.parameters()} - dense == {id(p) for p in model.embeddings.parameters()}
    assert sum(p.numel() for p in model.dense_parameters()) == 3 * 8 + 8 + 8 * 4 + 4 + (4 + 3) * 6 + 6 + 6 + 1


def test_no_rows_at_all():
    empty = KeyedJaggedTensor(["user", "genre"], [], [])
    assert DLRM(3, TABLES, (8, 4), (6, 1))(torch.empty(0, 3), empty).shape == (0,)


@pytest.mark.parametrize(("change", "message"), [
    ({"num_dense": 0}, "num_dense=0"),
    ({"tables": []}, "at least one"),
    ({"tables": [TABLES[0], EmbeddingBagConfig(5, 3, "x")]}, r"embedding_dim \[3, 4\]"),
    ({"bottom": (8, 5)}, "ends in 5.*embedding_dim=4"),
    ({"bottom": ()}, "bottom=\\(\\)"),
    ({"top": (6, 2)}, "ends in 2"),
    ({"top": (0, 1)}, "top=\\(0, 1\\)"),
])
def test_sizes_that_do_not_fit(change, message):
    arguments = {"num_dense": 3, "tables": TABLES, "bottom": (8, 4), "top": (6, 1)} | change
    with pytest.raises(ValueError, match=message):
        DLRM(**arguments)


def test_inputs_that_do_not_fit():
    model = DLRM(3, TABLES, (8, 4), (6, 1))
    with pytest.raises(ValueError, match=r"dense has shape \[3, 2\]; \(B, 3\)"):
        model(DENSE[:, :2], IDS)
    with pytest.raises(ValueError, match="dense holds 2 samples and sparse 3"):
        model(DENSE[:2], IDS)
