"""Metrics against scikit-learn, and at the edges where it is silent."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sk_log_loss
from sklearn.metrics import roc_auc_score

from pslab.data import auc, calibration, click_metrics, log_loss, normalised_entropy

# few different scores, so that most draws have ties
rows = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([-3.0, -0.5, 0.0, 0.25, 2.0])), min_size=2, max_size=30)


def split(pairs):
    labels, scores = np.array(pairs, dtype=np.float64).T
    assume(0 < labels.sum() < len(labels))
    return labels, scores


@given(rows)
def test_against_scikit_learn_with_ties(pairs):
    labels, scores = split(pairs)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    chance = 1 / (1 + np.exp(-scores))
    assert log_loss(labels, scores) == pytest.approx(sk_log_loss(labels, chance), abs=1e-12)


def test_large_and_in_float32():
    rng = np.random.default_rng(5)
    labels = (rng.random(20_000) < 0.3).astype(np.float32)
    scores = rng.standard_normal(20_000).astype(np.float32).round(2)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert 0.48 < auc(labels, scores) < 0.52


def test_by_hand():
    assert auc([1, 1, 0, 0], [0.9, 0.8, 0.8, 0.3]) == 0.875
    assert auc([1, 0], [2, 1]) == 1.0
    assert auc([0, 1], [2, 1]) == 0.0
    assert auc([0, 1, 0, 1], [5, 5, 5, 5]) == 0.5


def test_log_loss_is_stable_and_natural():
    assert log_loss([1, 0], [0, 0]) == pytest.approx(math.log(2))
    assert log_loss([1, 0], [1000, -1000]) == 0.0
    assert log_loss([0, 1], [1000, -1000]) == 1000.0


def test_normalised_entropy_is_one_at_the_base_rate():
    labels = np.array([1, 0, 0, 0])
    rate = np.full(4, math.log(0.25 / 0.75))
    assert normalised_entropy(labels, rate) == pytest.approx(1.0, abs=1e-12)
    assert normalised_entropy(labels, np.zeros(4)) == pytest.approx(math.log(2) / 0.5623351446188083)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "clicks and non-clicks"),
        ([0, 0], [0.1, 0.2], "clicks and non-clicks"),
        ([1, 0], [0.1], "of one length"),
        ([[1, 0]], [[0.1, 0.2]], "of one length"),
        ([], [], "empty"),
        ([1, -1], [0.1, 0.2], "labels must be 0 or 1, got -1"),
        ([1, 0], [0.1, math.nan], "must be finite, got nan at position 1"),
        ([1, 0], [math.inf, 0.0], "must be finite, got inf at position 0"),
    ],
)
def test_refusals(labels, scores, message):
    for metric in (auc, normalised_entropy):
        with pytest.raises(ValueError, match=message):
            metric(labels, scores)
    if "non-clicks" not in message:
        with pytest.raises(ValueError, match=message):
            log_loss(labels, scores)


@given(rows)
def test_calibration_and_entropy_in_closed_form(pairs):
    labels, scores = split(pairs)
    chance = 1 / (1 + np.exp(-scores))
    assert calibration(labels, scores) == pytest.approx(chance.sum() / labels.sum(), abs=1e-12)
    rate = labels.mean()
    entropy = sk_log_loss(labels, np.full(len(labels), rate))
    assert normalised_entropy(labels, scores) == pytest.approx(sk_log_loss(labels, chance) / entropy, abs=1e-12)
    assert click_metrics(labels, scores) == {
        "log_loss": log_loss(labels, scores), "auc": auc(labels, scores),
        "normalised_entropy": normalised_entropy(labels, scores), "calibration": calibration(labels, scores)}


def test_calibration_by_hand_and_at_the_edges():
    assert calibration([1, 0, 0, 0], [0, 0, 0, 0]) == 2.0            # promises 2 clicks, 1 came
    assert calibration([1, 1], [1000, 1000]) == 1.0                  # nothing overflows
    assert calibration([1, 0], [0, -1000]) == 0.5
    rate = math.log(0.25 / 0.75)
    assert calibration([1, 0, 0, 0], [rate] * 4) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="labels must hold clicks, got none in 2 rows"):
        calibration([0, 0], [0.1, 0.2])
