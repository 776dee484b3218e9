"""The comparison on a model, small and on made data; collections of mixed kinds of tables."""

import numpy as np
import pytest
import torch
from torch import nn

from pslab.data import KeyedJaggedTensor, rating_data, synthetic_click_log
from pslab.embedding import CompressedBagCollection, EmbeddingBagConfig, HashedEmbedding, Int8Rows
from pslab.examples import TABLE_VARIANTS, table_effects
from pslab.ps import SGD


def test_ratings_with_every_variant():
    data = rating_data("made")
    effects = table_effects(data, epochs=1, batch=2000)
    rows = {row.variant: row for row in effects.rows}
    assert list(rows) == list(TABLE_VARIANTS)
    assert effects.made
    assert "made from seed 0" in effects.text()
    whole = 4 * 16 * (data.users + data.items)
    expected = {"float32": whole, "int8, stochastic": whole * 24 // 64, "int4, packed after training": whole * 12 // 64,
                "hashed, R/4 rows": whole // 4, "quotient | remainder, m = R/4": 32 * (100 + 4 + 150 + 4)}
    assert {name: rows[name].table_bytes for name in expected} == expected
    assert all(row.share == row.table_bytes / whole for row in effects.rows)
    always = float(np.sqrt(np.mean((data.test.values - data.train.values.mean()) ** 2)))
    for row in effects.rows:
        assert row.scores["test RMSE"] < always             # each of them learns
        assert row.worse_by["test RMSE"] == row.scores["test RMSE"] - rows["float32"].scores["test RMSE"]
    assert abs(rows["int8, packed after training"].worse_by["test RMSE"]) < 0.002


def test_two_runs_are_equal_and_seeds_differ():
    data, names = rating_data("made"), ["int4, stochastic", "growing, R/4 rows, rare ids share one"]
    first, again, other = (table_effects(data, variants=names, epochs=1, batch=4000, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [row.scores for row in first.rows] != [row.scores for row in other.rows]
    assert [row.variant for row in first.rows] == ["float32", *names]


def test_the_full_table_learns_as_the_example_does():
    """One epoch of plain tables, by hand with the gradients of pslab.models and AdaGrad's rule."""
    from pslab.models import factorisation_step, guesses, rmse
    from pslab.ps import AdaGrad, Uniform

    data = rating_data("made")
    tables = {name: Uniform(0.1, number).rows(range(rows), 16) for number, (name, rows) in
              enumerate((("users", data.users), ("items", data.items)))}
    rule, mean = AdaGrad(0.1), float(data.train.values.mean())
    state = {name: rule.new_state(len(rows), 16) for name, rows in tables.items()}
    order = np.random.default_rng([0, 0]).permutation(len(data.train))
    for first in range(0, len(order), 3000):
        part = data.train[order[first:first + 3000]]
        users, items = ((np.unique(ids, return_inverse=True)) for ids in (part.users, part.items))
        _, *grads = factorisation_step(tables["users"][users[0]], tables["items"][items[0]], users[1], items[1],
                                       part.values, mean, 0.1)
        for name, (keys, _), grad in zip(tables, (users, items), grads):
            own, own_state = tables[name][keys], state[name][:, keys]
            rule.step(own, grad, own_state, 1)
            tables[name][keys], state[name][:, keys] = own, own_state
    expected = rmse(guesses(tables["users"][data.test.users], tables["items"][data.test.items], mean), data.test.values)
    got = table_effects(data, variants=["float32"], epochs=1, batch=3000).rows[0].scores["test RMSE"]
    assert got == pytest.approx(expected, abs=2e-4)


def test_clicks():
    log = synthetic_click_log(seed=1, train_rows=3000, test_rows=1000, tables=(300, 40, 9))
    effects = table_effects(log, variants=["int8, stochastic", "mixed dimensions, alpha 0.6"], dim=4, batch=100)
    assert effects.made
    assert [set(row.scores) for row in effects.rows] == [{"AUC", "log loss"}] * 3
    full, int8_row, _ = effects.rows
    assert full.scores["AUC"] > 0.6
    assert int8_row.worse_by["AUC"] == full.scores["AUC"] - int8_row.scores["AUC"]
    assert int8_row.worse_by["log loss"] == int8_row.scores["log loss"] - full.scores["log loss"]
    assert full.table_bytes == 4 * 4 * 349


@pytest.mark.parametrize(("options", "says"), [
    ({"variants": ["int2"]}, "variants hold 'int2'; allowed: 'float32'"),
    ({"dim": 0}, "dim=0"), ({"epochs": 0}, "epochs=0"), ({"batch": -3}, "batch=-3"), ({"lr": 0}, "lr=0"),
    ({"data": 5}, "data=5"),
])
def test_what_the_comparison_refuses(options, says):
    with pytest.raises(ValueError, match=says):
        table_effects(**{"data": rating_data("made"), "variants": [], **options})


# ---- collections --------------------------------------------------------------------------------------------------


def collection():
    tables = [EmbeddingBagConfig(9, 4, "items", ["item"], "mean"),
              EmbeddingBagConfig(5, 2, "users", ["user", "friend"]), EmbeddingBagConfig(3, 2, "keys")]
    modules = {"items": Int8Rows(9, 4, "mean", rule=SGD(1.0)), "users": HashedEmbedding(5, 2, 3),
               "keys": nn.EmbeddingBag(3, 2, mode="sum")}
    return CompressedBagCollection(tables, modules), tables, modules


FEATURES = KeyedJaggedTensor(["user", "friend", "item", "keys"], [4, 0, 1, 1, 3, 8, 8, 2, 2],
                             [1, 1, 1, 2, 2, 1, 0, 1])


def test_a_collection_is_its_modules_side_by_side():
    tables, _, modules = collection()
    out = tables(FEATURES)
    assert out.keys == ["item", "user", "friend", "keys"]
    for key, table in (("item", "items"), ("user", "users"), ("friend", "users"), ("keys", "keys")):
        bags = FEATURES[key]
        assert torch.equal(out[key], modules[table](bags.values, bags.offsets[:-1]))
    assert tables.bytes() == 9 * 12 + 3 * 2 * 4 + 3 * 2 * 4
    assert tables.tables == modules
    before = modules["items"].packed.clone()
    out.values.sum().backward()
    assert tables.step() == 2                               # items 2 and 8; the other two are an optimizer's
    assert (modules["items"].packed != before).any(dim=1).nonzero()[:, 0].tolist() == [2, 8]
    assert len(list(tables.parameters())) == 2


def test_modules_that_do_not_fit():
    _, tables, modules = collection()
    for changed, says in (({"keys": nn.EmbeddingBag(3, 4, mode="sum")}, "dimension 4"),
                          ({"items": Int8Rows(9, 4, "sum")}, "pooling 'sum'"),
                          ({"keys": nn.EmbeddingBag(3, 2, include_last_offset=True, mode="sum")}, "include_last"),
                          ({"more": modules["keys"]}, "modules are for items, keys, more, users")):
        with pytest.raises(ValueError, match=says):
            CompressedBagCollection(tables, {**modules, **changed})
    with pytest.raises(ValueError, match="id 9"):
        collection()[0](KeyedJaggedTensor(["user", "friend", "item", "keys"], [9], [0, 0, 1, 0]))
