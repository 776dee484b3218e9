"""The main job learns: on MovieLens-100K well above the item's click rate, on synthetic data close to the best."""

import pytest

from pslab.data import MissingData, load
from pslab.demo.options import Options
from pslab.demo.train import Worlds, train, yardstick

STEPS = Options.steps


def score(tmp_path, data, seed):
    options = Options(data=data, seed=seed, strategy="hybrid", world="sim", steps=STEPS,
                      picture=str(tmp_path / "a.png"))
    log = load(data, seed)
    batches = list(log.batches(options.batch_size, seed, STEPS))
    with Worlds(options) as worlds:
        return train(options, log, batches, "hybrid", worlds), yardstick(log)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_movielens(tmp_path, seed):
    try:
        load("movielens-100k")
    except MissingData:
        pytest.skip("MovieLens-100K is not on this machine (`pslab data fetch movielens-100k`)")
    measured, (name, baseline) = score(tmp_path, "movielens-100k", seed)
    assert name == "smoothed click rate of the item"
    assert 0.72 < baseline < 0.73
    assert measured.test_auc > baseline + 0.03
    assert measured.test_auc > 0.765, f"seed {seed}"


@pytest.mark.long
def test_synthetic(tmp_path):
    measured, (name, best) = score(tmp_path, "synthetic", 0)
    assert name.startswith("best reachable")
    assert best - 0.04 < measured.test_auc < best
    assert measured.test_log_loss < 0.6
