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


@pytest.mark.parametrize("bags", ["pooled", "single"])
def test_equal_bit_for_bit_on_integers_and_only_touched_rows_change(bags):
    first = ps.Integers(-8, 9, seed=2)
    configs = SUMS if bags == "pooled" else [EmbeddingBagConfig(5, 2, "x"), EmbeddingBagConfig(8, 2, "y", ["y1", "y2"]),
                                             EmbeddingBagConfig(3, 1, "z")]
    ours = FusedEmbeddingBagCollection(configs, ps.SGD(0.5), init=first)
    theirs = EmbeddingBagCollection(configs, init=first, sparse=True)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5)
    before = {name: value.clone() for name, value in weights_of(ours).items()}
    touched = {name: set() for name in before}
    for step in range(20):
        features = batch(step, top=3) if bags == "pooled" else KeyedJaggedTensor(
            ["z", "y1", "x", "y2"], np.random.default_rng(step).integers(0, 3, 28), np.ones(28, np.int64))
        for config in configs:
            for feature in config.feature_names:
                touched[f"tables.{config.name}.weight"].update(features[feature].values.tolist())
        out, expected = ours(features), theirs(features)
        assert torch.equal(out.values, expected.values)
        assert (out.keys, out.length_per_key) == (expected.keys, expected.length_per_key)
        grads = torch.from_numpy(np.random.default_rng(step).integers(-3, 4, out.values.shape)).float()
        out.values.backward(grads)
        optimizer.zero_grad()
        expected.values.backward(grads)
        optimizer.step()
        for name, rows in weights_of(theirs).items():
            assert torch.equal(ours.state_dict()[name], rows), (name, step)
    for name, rows in weights_of(ours).items():
        untouched = [row for row in range(len(rows)) if row not in touched[name]]
        assert torch.equal(rows[untouched], before[name][untouched])
    assert any(len(ids) not in (0, len(before[name])) for name, ids in touched.items())


def test_equal_ids_are_one_step_for_their_sum():
    """Two gradients of 3 in one batch: AdaGrad's sum is (3 + 3)² = 36 and the step 1, not 9 + 9 and more than 1."""
    ours = FusedEmbeddingBagCollection([EmbeddingBagConfig(4, 1, "x", ["p", "q"])], ps.AdaGrad(1.0), init=ps.Zeros())
    features = KeyedJaggedTensor(["p", "q"], [2, 2], [1, 1])
    ours(features).values.backward(torch.tensor([[3.0, 3.0]]))
    assert ours.tables["x"].sum.tolist() == [[0], [0], [36], [0]]
    assert ours.tables["x"].weight.tolist() == [[0], [0], [-1], [0]]


@pytest.mark.parametrize("rule", [ps.RowWiseAdaGrad(0.1), ps.FTRL(0.1, l1=0.01), ps.Momentum(0.1), ps.RMSProp(0.01)])
def test_other_rules_are_those_of_the_servers(rule):
    """Against the rule itself, on rows and dense gradients of torch, where lookups reach only few rows."""
    ours = FusedEmbeddingBagCollection(SUMS, rule, seed=5)
    theirs = EmbeddingBagCollection(SUMS, seed=5)
    state = {name: rule.new_state(len(part.weight), part.weight.shape[1]) for name, part in theirs.tables.items()}
    for step in range(1, 6):
        features, draw = batch(step), torch.Generator().manual_seed(step)
        grads = torch.randn(ours(features).values.shape, generator=draw)
        ours(features).values.backward(grads)
        theirs.zero_grad()
        theirs(features).values.backward(grads)
        for config in SUMS:
            weight = theirs.tables[config.name].weight
            ids = np.unique(np.concatenate([features[name].values.numpy() for name in config.feature_names]))
            rows, slots = weight.detach().numpy()[ids], state[config.name][:, ids]
            rule.step(rows, weight.grad.numpy()[ids], slots, step)
            weight.data[torch.from_numpy(ids)], state[config.name][:, ids] = torch.from_numpy(rows), slots
    for name, rows in weights_of(theirs).items():
        torch.testing.assert_close(ours.state_dict()[name], rows, rtol=1e-5, atol=1e-6)
    for name, slots in state.items():
        for slot, expected in zip(rule.state_names, slots):
            torch.testing.assert_close(ours.state_dict()[f"tables.{name}.{slot}"], torch.from_numpy(expected),
                                       rtol=1e-5, atol=1e-6)


def test_weighted_bags_and_the_gradient_of_their_weights():
    ours = FusedEmbeddingBagCollection(SUMS, ps.SGD(0.1), seed=3, is_weighted=True)
    theirs = EmbeddingBagCollection(SUMS, seed=3, sparse=True, is_weighted=True)
    optimizer, seen = torch.optim.SGD(theirs.parameters(), lr=0.1), {}
    for step in range(4):
        for name, module in (("ours", ours), ("theirs", theirs)):
            plain = batch(step, rows=5, weighted=True)
            weights = plain.weights.clone().requires_grad_()
            features = KeyedJaggedTensor([*plain.keys, "unread"], torch.cat([plain.values, torch.tensor([9])]),
                                         torch.cat([plain.lengths, torch.tensor([1, 0, 0, 0, 0])]),
                                         weights=torch.cat([weights, torch.ones(1)]))
            optimizer.zero_grad()
            out = module(features).values
            out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(step)))
            seen[name] = out, weights.grad
        optimizer.step()
        torch.testing.assert_close(seen["ours"], seen["theirs"])
    for name, rows in weights_of(theirs).items():
        torch.testing.assert_close(ours.state_dict()[name], rows)


def test_gradients_of_weights_are_refused_once_the_rows_have_moved():
    ours = FusedEmbeddingBagCollection(SUMS, ps.SGD(0.1), is_weighted=True)
    plain = batch(1, weighted=True)
    features = KeyedJaggedTensor(plain.keys, plain.values, plain.lengths, weights=plain.weights.requires_grad_())
    one, other = ours(features).values.sum(), ours(features).values.sum()
    one.backward()
    with pytest.raises(RuntimeError, match="rows have been stepped since this forward"):
        other.backward()


class Largest(TorchDispatchMode):
    """The largest tensor that any operation made, views of `known` aside."""

    def __init__(self, known):
        super().__init__()
        self.numel, self.known = 0, {part.untyped_storage().data_ptr() for part in known}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(one, torch.Tensor) and one.untyped_storage().data_ptr() not in self.known:
                self.numel = max(self.numel, one.numel())
        return out


def test_no_tensor_of_the_tables_size_is_made():
    import tracemalloc
    ours = FusedEmbeddingBagCollection([EmbeddingBagConfig(100_000, 8, "x")], ps.AdaGrad(0.1))
    features = KeyedJaggedTensor(["x"], np.arange(0, 100_000, 1000), np.full(50, 2))
    tracemalloc.start()
    try:
        with Largest(ours.buffers()) as largest:
            ours(features).values.sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert largest.numel < 10_000
    assert peak < 400_000, "the table holds 3.2 MB"
    assert all(part.grad is None for part in ours.buffers())
    assert not list(ours.parameters())


def test_a_checkpoint_goes_on_where_it_was_taken_and_is_by_table():
    rule = ps.Adam(0.05)
    straight, first = (FusedEmbeddingBagCollection(TABLES, rule, seed=1) for _ in range(2))
    train(straight, [], 8)
    for step in range(8):
        if step == 5:
            saved = pickle.loads(pickle.dumps(first.state_dict()))
            assert set(saved) == {"steps", *(f"tables.{t.name}.{part}" for t in TABLES
                                             for part in ("weight", "exp_avg", "exp_avg_sq"))}
            turned = FusedEmbeddingBagCollection(TABLES[::-1], rule, seed=9)
            turned.load_state_dict(saved)
            assert torch.equal(turned(batch(0)).to_dict()["s1"], first(batch(0))["s1"])
            copied, first = copy.deepcopy(first), FusedEmbeddingBagCollection(TABLES, rule, seed=9)
            first.load_state_dict(saved)
        for module in (first, copied) if step >= 5 else (first,):
            out = module(batch(step, rows=6 if step != 3 else 0)).values
            out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(step)))
    for name, value in straight.state_dict().items():
        assert torch.equal(value, first.state_dict()[name]), name
        assert torch.equal(value, copied.state_dict()[name]), name
    plain = EmbeddingBagCollection(TABLES, seed=2)
    straight.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(straight(batch(0)).values, plain(batch(0)).values)
    with pytest.raises(RuntimeError, match=r"size mismatch for tables\.a\.weight"):
        straight.load_state_dict({"tables.a.weight": torch.zeros(49, 4)}, strict=False)


def test_forward_without_gradients_and_unused_results_step_nothing():
    ours = FusedEmbeddingBagCollection(TABLES, ps.SGD(1.0))
    before = copy.deepcopy(ours.state_dict())
    with torch.no_grad():
        ours(batch(0))
    ours(batch(1))
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_what_is_refused():
    with pytest.raises(ValueError, match="rule=0.1; a rule of pslab.ps is needed"):
        FusedEmbeddingBagCollection(TABLES, 0.1)
    ours = FusedEmbeddingBagCollection(TABLES, ps.SGD(0.1))
    with pytest.raises(ValueError, match=r"float64 on cpu; FusedEmbeddingBagCollection keeps float32"):
        ours.double()
    assert ours.float().eval() is ours
    with pytest.raises(ValueError, match="feature 'one' holds id 1; table 'one' has rows 0..0"):
        ours(KeyedJaggedTensor(list(ROWS), [1], [0, 0, 0, 0, 0, 1]))
    with pytest.raises(ValueError, match="is_weighted=True with pooling='mean' of table 'shared'"):
        FusedEmbeddingBagCollection(TABLES, ps.SGD(0.1), is_weighted=True)
    with pytest.raises(ValueError, match="feature 'a' comes without weights"):
        FusedEmbeddingBagCollection(SUMS, ps.SGD(0.1), is_weighted=True)(batch(0))
    with pytest.raises(ValueError, match="pooling='none' of table 'x'; 'sum' or 'mean' is needed here"):
        FusedEmbeddingBagCollection([EmbeddingBagConfig(3, 2, "x", pooling="none")], ps.SGD(0.1))


@pytest.mark.parametrize(("name", "value"), [("kernels.BLOCK_FLOATS", 1), ("fused_bags.SORT_LOOKUPS", 1),
                                             ("fused_bags.WEIGHT_LOOKUPS", 2), ("large_pages.LEAST_BYTES", 1)])
def test_blocks_do_not_change_a_bit(monkeypatch, name, value):
    def rows():
        module = FusedEmbeddingBagCollection(SUMS, DenseAdam(0.1) if "BLOCK" in name else ps.Adam(0.1), seed=3,
                                             is_weighted=True)
        out = []
        for step in range(3):
            features = batch(step, weighted=True)
            features.weights.requires_grad_()
            (module(features).values ** 2).sum().backward()
            out.append(features.weights.grad)
        return [*out, *module.state_dict().values()]
    whole = rows()
    monkeypatch.setattr(f"pslab.embedding.{name}", value)
    for one, other in zip(whole, rows()):
        assert torch.equal(one, other)
