"""Bags that step their rows in backward, against torch: a bag and a sparse optimizer per table."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pslab import ps
from pslab.data import KeyedJaggedTensor
from pslab.embedding import DenseAdam, EmbeddingBagCollection, EmbeddingBagConfig, FusedEmbeddingBagCollection

TABLES = [EmbeddingBagConfig(50, 4, "a"), EmbeddingBagConfig(7, 4, "shared", ["s1", "s2"], "mean"),
          EmbeddingBagConfig(30, 3, "narrow"), EmbeddingBagConfig(9, 4, "never"), EmbeddingBagConfig(1, 4, "one")]
SUMS = [EmbeddingBagConfig(t.num_embeddings, t.embedding_dim, t.name, t.feature_names) for t in TABLES]
ROWS = {"a": 50, "s1": 7, "s2": 7, "narrow": 30, "never": 9, "one": 1}


def batch(step, rows=6, weighted=False, top=None):
    """Bags of 0 to 4 ids, of few different ids so that they repeat; "never" stays empty, "one" has one id at times."""
    rng = np.random.default_rng(step)
    lengths = {name: rng.integers(0, 5, rows) * (name != "never") for name in ROWS}
    values = np.concatenate([rng.integers(0, min(ROWS[name], top or ROWS[name]), lengths[name].sum()) for name in ROWS])
    weights = rng.integers(1, 4, len(values)).astype(np.float32) if weighted else None
    return KeyedJaggedTensor(list(ROWS), values, np.concatenate(list(lengths.values())), weights=weights)


def train(module, optimizers, steps, integers=False, weighted=False):
    for step in range(steps):
        features = batch(step, rows=6 if step != 3 else 0, weighted=weighted)
        out = module(features).values
        draw = torch.Generator().manual_seed(step)
        grads = (torch.randint(-3, 4, out.shape, generator=draw).float() if integers
                 else torch.randn(out.shape, generator=draw))
        for optimizer in optimizers:
            optimizer.zero_grad()
        out.backward(grads)
        for optimizer in optimizers:
            optimizer.step()


def weights_of(module):
    return {name: value for name, value in module.state_dict().items() if name.endswith(".weight")}


RULES = {
    "sgd": (ps.SGD(0.1), True, lambda p: torch.optim.SGD(p, lr=0.1)),
    "adagrad": (ps.AdaGrad(0.1), True, lambda p: torch.optim.Adagrad(p, lr=0.1)),
    "adam": (ps.Adam(0.02), True, lambda p: torch.optim.SparseAdam(p, lr=0.02)),
    "dense adam": (DenseAdam(0.02, eps=1e-3), False, lambda p: torch.optim.Adam(p, lr=0.02, eps=1e-3)),
}


@pytest.mark.parametrize("name", RULES)
def test_equal_to_torch_over_25_steps(name):
    rule, sparse, optimizer = RULES[name]
    ours = FusedEmbeddingBagCollection(TABLES, rule, seed=3)
    theirs = EmbeddingBagCollection(TABLES, seed=3, sparse=sparse)
    train(ours, [], 25)
    train(theirs, [optimizer(list(theirs.parameters()))], 25)
    for key, expected in weights_of(theirs).items():
        torch.testing.assert_close(ours.state_dict()[key], expected, rtol=1e-6, atol=1e-6, msg=key)
    assert int(ours.steps) == 25
