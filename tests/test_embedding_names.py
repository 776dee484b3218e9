"""Tables called as people call them, and what a state_dict can and cannot hold under a name."""

import copy
import pickle

import pytest
import torch

from pslab import ps
from pslab.data import KeyedJaggedTensor
from pslab.embedding import (
    EmbeddingBagCollection,
    EmbeddingBagConfig,
    EmbeddingCollection,
    FusedEmbeddingBagCollection,
)

KINDS = [lambda name: EmbeddingBagCollection([EmbeddingBagConfig(5, 2, name)]),
         lambda name: EmbeddingCollection([EmbeddingBagConfig(5, 2, name, pooling="none")]),
         lambda name: FusedEmbeddingBagCollection([EmbeddingBagConfig(5, 2, name)], ps.AdaGrad(0.1))]


@pytest.mark.parametrize("make", KINDS, ids=["bags", "rows", "fused"])
@pytest.mark.parametrize("name", ["items", "keys", "type", "weight", "sum"])
def test_a_table_may_be_called_like_a_method(make, name):
    module = make(name).eval().train()
    assert torch.equal(module.state_dict()[f"tables.{name}.weight"], module.tables[name].weight)
    assert list(module.tables) == [name]
    features = KeyedJaggedTensor([name], [1, 3], [1, 1])
    found = module(features)
    found = found[name].values if isinstance(found, dict) else found.values
    assert torch.equal(found, module.tables[name].weight[[1, 3]])
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.tables[name].weight += 1
    module.load_state_dict(pickle.loads(pickle.dumps(other)).state_dict())
    assert torch.equal(module.tables[name].weight, other.tables[name].weight)


@pytest.mark.parametrize("make", KINDS, ids=["bags", "rows", "fused"])
def test_names_that_torch_sets_on_every_module_are_refused(make):
    with pytest.raises(ValueError, match="name='training' of a table; torch.nn.Module keeps something else"):
        make("training")


@pytest.mark.parametrize("name", ["weight", "a.b", "", "train"])
def test_a_state_that_has_no_name_beside_the_rows_is_refused(name):
    """A state called "weight" would take the place of the rows in a state_dict."""
    rule = ps.Custom(lambda rows, grads, state, t: None, slots=1, names=(name,))
    with pytest.raises(ValueError, match="state_names=.*another name, without a dot, is needed"):
        FusedEmbeddingBagCollection([EmbeddingBagConfig(5, 2, "a")], rule)
