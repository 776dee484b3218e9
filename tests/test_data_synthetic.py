"""The synthetic log: every knob moves what it names, and the ceiling is a ceiling that can nearly be reached."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from pslab.data import ClickLog, auc, item_click_rate_baseline, load, log_loss, synthetic_click_log

SMALL = {"train_rows": 3000, "test_rows": 1000, "tables": (300, 40, 10)}
# What seed 0 of SMALL gives: first ids, (sum of ids, clicks), best AUC.
FIRST_IDS, SUMS, BEST_AUC = [138, 12, 139, 213, 43, 208], (613595, 1212), 0.8435970847437964


def small(**changed) -> ClickLog:
    return synthetic_click_log(**{**SMALL, **changed})


def fingerprint(log: ClickLog) -> tuple:
    return tuple(
        (part.dense.double().sum().item(), part.sparse.values.tolist(), part.labels.tolist())
        for part in (log.train, log.test)
    )


def test_shapes_and_features():
    log = small()
    assert (len(log.train), len(log.test), log.num_dense) == (3000, 1000, 4)
    assert [(f.name, f.num_embeddings, f.pooling) for f in log.features] == [
        ("table0", 300, "sum"),
        ("table1", 40, "sum"),
        ("bag", 10, "mean"),
    ]
    assert set(log.train.sparse["bag"].lengths.tolist()) == {1, 2, 3, 4}
    assert set(log.train.sparse["table0"].lengths.tolist()) == {1}
    assert set(log.train.labels.tolist()) == {0.0, 1.0}


def test_same_seed_same_log_other_seed_other_log():
    assert fingerprint(small(seed=4)) == fingerprint(small(seed=4))
    assert small(seed=4).best_auc == small(seed=4).best_auc
    assert fingerprint(small(seed=4)) != fingerprint(small(seed=5))


def test_the_log_of_a_seed_stays_the_same_between_releases():
    log = small()
    ids = log.train.sparse.values.numpy()
    assert ids[:6].tolist() == FIRST_IDS
    assert (int(ids.sum()), int(log.train.labels.sum())) == SUMS
    assert log.best_auc == pytest.approx(BEST_AUC, abs=1e-9)


@pytest.mark.parametrize("zipf", [0.0, 0.7, 1.5])
def test_ids_follow_the_zipf_law(zipf):
    log = small(zipf=zipf, train_rows=40_000, tables=(30, 5))
    ids = log.train.sparse["table0"].values.numpy()
    share = np.sort(np.bincount(ids, minlength=30))[::-1] / len(ids)
    want = np.arange(1, 31) ** -zipf / np.sum(np.arange(1, 31) ** -zipf)
    # 6 deviations of a binomial share, and a little for sorting the noise where ids are equally popular
    assert np.all(np.abs(share - want) < 6 * np.sqrt(want / len(ids)) + 1e-3)
    if zipf:
        assert np.argmax(np.bincount(ids)) != 0  # popularity is not the order of the ids (for this seed)


def test_knobs_that_shape_the_log():
    assert len(small(train_rows=77).train) == 77
    assert len(small(test_rows=78).test) == 78
    assert small(num_dense=0).train.dense.shape == (3000, 0)
    assert small(num_dense=7).num_dense == 7
    assert small(tables=(5,)).train.sparse.keys == ["bag"]
    assert small(teacher_dim=5).train.labels.tolist() != small().train.labels.tolist()


def test_noise_lowers_the_ceiling_to_a_coin():
    ceilings = [small(noise=noise, test_rows=8000) for noise in (0.0, 0.4, 1.0)]
    aucs = [log.best_auc for log in ceilings]
    losses = [log.best_log_loss for log in ceilings]
    assert aucs[0] > aucs[1] + 0.05 > aucs[2] + 0.1
    assert losses[0] < losses[1] - 0.05 < losses[2] - 0.1
    assert losses[2] == pytest.approx(math.log(2), abs=1e-12)
    assert aucs[2] == 0.5  # all probabilities alike: all tied


class Learner(nn.Module):
    """The least that can see what the teacher plants: a bias and a vector per id, and the dots of all pairs."""

    def __init__(self, log: ClickLog, dim: int, pairs: bool):
        super().__init__()
        torch.manual_seed(0)
        self.pairs, self.names = pairs, [f.name for f in log.features]
        self.tables = nn.ModuleList(
            nn.EmbeddingBag(f.num_embeddings, dim + 1, mode=f.pooling, include_last_offset=True) for f in log.features
        )
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.05)
        self.dense = nn.Linear(log.num_dense, dim + 1)

    def forward(self, batch):
        bags = [batch.sparse[name] for name in self.names]
        rows = [table(bag.values, bag.offsets) for table, bag in zip(self.tables, bags)]
        rows = torch.stack([self.dense(batch.dense), *rows], 1)
        vectors, alone = rows[:, :, 1:], rows[:, :, 0].sum(1)
        together = (vectors.sum(1).square() - vectors.square().sum(1)).sum(1) / 2  # all pairs at once
        return alone + together if self.pairs else alone


def learn(log: ClickLog, pairs: bool) -> tuple[float, float]:
    model = Learner(log, dim=2, pairs=pairs)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
    for batch in log.batches(512, seed=0, steps=290):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(batch), batch.labels).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(log.test)
    return auc(log.test.labels, logits), log_loss(log.test.labels, logits)


def test_a_learner_comes_near_the_ceiling_and_not_above_it():
    log = load("synthetic", seed=0)
    reached, loss = learn(log, pairs=True)
    without_pairs, _ = learn(log, pairs=False)
    popular = auc(log.test.labels, item_click_rate_baseline(log))
    print(f"best {log.best_auc:.4f}, learner {reached:.4f}, without pairs {without_pairs:.4f}, popular {popular:.4f}")
    assert log.best_auc - 0.03 < reached < log.best_auc + 0.003
    assert log.best_log_loss - 0.003 < loss < log.best_log_loss + 0.04
    assert without_pairs < reached - 0.02, "the planted pairs must matter"
    assert popular < without_pairs


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_rows": 0}, "train_rows must be at least 1, got 0"),
        ({"test_rows": -1}, "test_rows must be at least 1, got -1"),
        ({"teacher_dim": 0}, "teacher_dim must be at least 1"),
        ({"tables": ()}, "tables must name at least one table"),
        ({"tables": (5, 0)}, r"tables must name .* got \[5, 0\]"),
        ({"num_dense": -1}, "num_dense must be 0 or more"),
        ({"zipf": -0.1}, "zipf must be 0 or more"),
        ({"zipf": math.nan}, "zipf must be 0 or more"),
        ({"noise": 1.5}, r"noise must lie in 0\.\.1, got 1.5"),
    ],
)
def test_refusals(changed, message):
    with pytest.raises(ValueError, match=message):
        small(**changed)


@pytest.mark.parametrize("changed", [{"tables": (1,)}, {"train_rows": 1, "test_rows": 1}, {"num_dense": 0}])
def test_tiny_logs_are_logs(changed):
    log = small(**changed)
    assert torch.isfinite(log.train.dense).all()
    assert math.isfinite(log.best_log_loss)
    one_sided = log.test.labels.sum() in (0, len(log.test))
    assert (log.best_auc is None) == bool(one_sided)
