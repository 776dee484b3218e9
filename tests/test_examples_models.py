"""The examples learn what plain loops and other libraries learn, and reach on real data what they promise."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from examples_small import SMALL, factorisation, factorisation_by_hand, ftrl_by_hand, logistic, mlp, whole_ratings
from sklearn.linear_model import LogisticRegression

from pslab.data import rating_data, sparse_data
from pslab.examples import FactorisationExample, LogisticExample, MLPExample, l1_path, run_example
from pslab.ps import BSP, FTRL, SGD, Integers

DATA = Path(os.environ.get("PSLAB_DATA", ""))
needs_a9a = pytest.mark.skipif(not (DATA / "a9a" / "a9a").is_file(), reason="PSLAB_DATA names no folder that holds a9a")
needs_ratings = pytest.mark.skipif(not (DATA / "ml-100k" / "u1.base").is_file(),
                                   reason="PSLAB_DATA names no folder that holds ml-100k/")


@pytest.mark.parametrize(("workers", "servers"), [(1, 0), (1, 2), (3, 2), (4, 1)])
def test_logistic_regression_is_mcmahans_algorithm(workers, servers):
    example = logistic(rows=130, rule=FTRL(0.3, 1.0, 2.0, 0.5))
    weights = run_example(example, workers=workers, servers=servers).rows["weights"][:, 0]
    by_hand = ftrl_by_hand(example.data.train, 50, 2, 0.3, 1.0, 2.0, 0.5)
    expected = np.array([by_hand.get(key, 0.0) for key in range(124)])
    assert 20 < np.count_nonzero(expected) < 100, "some weights are held at 0 and some are not"
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    assert np.array_equal(weights == 0, expected == 0)


@pytest.mark.parametrize(("workers", "servers"), [(1, 0), (2, 1), (3, 2), (4, 3)])
def test_factorisation_of_whole_numbers_is_the_plain_loop_to_the_last_bit(workers, servers):
    """At a rate of 1/32 every product and sum has few binary digits, so no order of additions changes anything."""
    example = FactorisationExample(batch=15, epochs=1, data=whole_ratings(), factors=2, reg=0.0, rule=SGD(2.0**-5),
                                   mean=3.0, init=Integers(-1, 2, seed=1))
    result = run_example(example, workers=workers, servers=servers)
    users, items = factorisation_by_hand(example, 2.0**-5)
    assert np.array_equal(result.rows["users"], users)
    assert np.array_equal(result.rows["items"], items)
    assert not np.array_equal(users, example.tables(BSP())[0].initial_rows())


def test_factorisation_of_any_numbers_is_the_plain_loop():
    example = replace(factorisation(batch=8, epochs=2, factors=3, rule=SGD(0.02)), data=whole_ratings(3))
    result = run_example(example, workers=3, servers=2)
    users, items = factorisation_by_hand(example, 0.02)
    np.testing.assert_allclose(result.rows["users"], users, atol=1e-5)
    np.testing.assert_allclose(result.rows["items"], items, atol=1e-5)


def test_the_network_is_torchs():
    example = mlp(epochs=1, hidden=(12, 8), rule=SGD(0.3))
    result = run_example(example, workers=3, servers=2)
    layers = [torch.tensor(table.initial_rows(), requires_grad=True) for table in example.tables(BSP())]
    optimizer = torch.optim.SGD(layers, lr=0.3)
    pictures = torch.tensor(example.data.train.pixels), torch.tensor(example.data.train.labels)
    losses = []
    for rows in example._shuffled_parts(0, 1):
        x, labels = (tensor[torch.tensor(rows)] for tensor in pictures)
        for number, layer in enumerate(layers):
            x = (torch.relu(x) if number else x) @ layer[:, 1:].T + layer[:, 0]
        loss = torch.nn.functional.cross_entropy(x, labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for number, layer in enumerate(layers):
        np.testing.assert_allclose(result.rows[f"layer {number}"], layer.detach(), atol=1e-5)
    assert result.losses == pytest.approx(losses, abs=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_one_worker_with_servers_is_one_process_to_the_last_bit(name):
    example = SMALL[name]()
    alone, served = run_example(example, workers=1, servers=0), run_example(example, workers=1, servers=2)
    assert {table: rows.tobytes() for table, rows in alone.rows.items()} == {
        table: rows.tobytes() for table, rows in served.rows.items()}
    assert alone.losses == served.losses
    assert [(point.rounds, point.metric) for point in alone.curve] == [
        (point.rounds, point.metric) for point in served.curve]


def test_l1_buys_zeros():
    path = l1_path(logistic(rows=2000), [0, 3, 30])
    kept = [point["nonzero"] for point in path]
    assert kept[0] > kept[1] > kept[2]
    assert [point["l1"] for point in path] == [0, 3, 30]
    assert path[0]["features"] == 123
    served = l1_path(logistic(rows=2000), [3], run=lambda example: run_example(example, workers=2))
    assert served[0]["nonzero"] == kept[1]
    with pytest.raises(ValueError, match=r"rule=SGD.*; FTRL is needed"):
        l1_path(logistic(rule=SGD(0.1)), [1])


# ---- the promises, on real data -------------------------------------------------------------------------------------


@needs_a9a
def test_a9a_as_good_as_scikit_learn():
    data = sparse_data("a9a")
    result = run_example(LogisticExample(data=data), workers=2)
    train = data.train.read()
    dense = np.zeros((len(train), 124), np.float32)
    dense[train.row_of, train.columns] = train.values
    test = np.zeros((len(data.test), 124), np.float32)
    test[data.test.row_of, data.test.columns] = data.test.values
    theirs = LogisticRegression(solver="liblinear").fit(dense, train.labels)
    accuracy = theirs.score(test, data.test.labels)
    assert accuracy == pytest.approx(0.85, abs=0.002)
    assert result.value == pytest.approx(accuracy, abs=0.003)
    assert result.baselines == {"always the more frequent label": pytest.approx(0.7638, abs=1e-4)}
    assert 60 < np.count_nonzero(result.rows["weights"][1:]) < 110


@pytest.mark.long
@needs_a9a
def test_a9a_under_asp():
    assert run_example(LogisticExample(data=sparse_data("a9a"), epochs=1), workers=4, consistency="asp").value > 0.845


@needs_ratings
@pytest.mark.parametrize("mode", ["bsp", pytest.param("asp", marks=pytest.mark.long)])
def test_movielens_beats_the_biases(mode):
    data = rating_data("movielens-100k")
    result = run_example(FactorisationExample(data=data), workers=2, consistency=mode)
    assert result.value <= 0.935
    assert result.baselines["biases only"] == pytest.approx(0.9537, abs=2e-3)
    assert result.value < result.baselines["biases only"] - 0.015


@pytest.mark.parametrize("mode", ["bsp", "ssp:3"])
def test_digits_are_learned(mode):
    result = run_example(MLPExample(), workers=2, consistency=mode)
    assert result.value >= 0.96
    assert result.value > result.baselines["nearest class mean"]


@pytest.mark.parametrize(("name", "least"), [("logistic", 0.79), ("factorisation", -0.83), ("mlp", 0.94)])
def test_what_stands_in_can_be_learned_too(name, least):
    made = {"logistic": lambda: LogisticExample(data=sparse_data("made")), "mlp": lambda: mlp(batch=64, epochs=20),
            "factorisation": lambda: FactorisationExample(data=rating_data("made"), epochs=12)}
    result = run_example(made[name](), workers=1, servers=0)
    assert (result.value if result.higher_is_better else -result.value) >= least
    assert all((result.value > other) == result.higher_is_better for other in result.baselines.values())
