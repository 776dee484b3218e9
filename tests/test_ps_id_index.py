"""Where the row of a 64-bit key lies (IdIndex), and the array of rows that grows (Growing), against plain dicts."""

import numpy as np
import pytest

from pslab.ps import HashPartition
from pslab.ps.growing import Growing
from pslab.ps.id_index import IdIndex

EDGES = np.array([-2**63, 2**63 - 1, -1, 0, 1, 2**31, -2**31, 2**32], np.int64)
FAMILIES = {
    "random": lambda rng, n: np.unique(rng.integers(-2**63, 2**63 - 1, n, endpoint=True)),
    "small": lambda rng, n: np.arange(-n // 2, n - n // 2),
    "multiples of 2^40": lambda rng, n: np.arange(n, dtype=np.int64) << 40,
    "multiples of 2^20": lambda rng, n: np.arange(n, dtype=np.int64) << 20,
    "of one server": lambda rng, n: np.flatnonzero(HashPartition().bind(None, 32).owner(np.arange(40 * n)) == 5)[:n],
    "close to the end": lambda rng, n: 2**63 - 1 - np.arange(n, dtype=np.int64),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_a_dict_whatever_the_keys(family):
    rng, index, ref = np.random.default_rng(1), IdIndex(), {}
    for n in (0, 1, 3, 500, 7, 6000, 20_000):
        keys = np.unique(np.concatenate([FAMILIES[family](rng, n), EDGES]))
        rng.shuffle(keys)
        rows = index.find(keys)
        assert rows.tolist() == [ref.get(key, -1) for key in keys.tolist()]
        new = keys[rows < 0]
        index.add(new)
        ref |= {key: len(ref) + i for i, key in enumerate(new.tolist())}
        assert len(index) == len(ref)
        many = keys[rng.integers(0, len(keys), 2 * len(keys))]          # repeated ones, in any order
        assert index.find(many).tolist() == [ref[key] for key in many.tolist()]
    assert index.keys.tolist() == list(ref)


def test_looks_stay_few(monkeypatch):
    """What is looked at for 16,000 keys is under two places a key, in few rounds: no clusters, whatever the keys."""
    for family, make in FAMILIES.items():
        index = IdIndex()
        keys = make(np.random.default_rng(2), 16_000)
        for first in range(0, len(keys), 1000):
            index.add(keys[first:first + 1000])
        looks = []

        class Watched(np.ndarray):
            def take(self, at, looks=looks, **more):
                looks.append(len(at))
                return np.asarray(self).take(at, **more)
        index._table = index._table.view(Watched)
        assert (index.keys[index.find(keys)] == keys).all()
        assert sum(looks) < 2 * len(keys), f"{family}: {looks}"
        assert len(looks) < 30, f"{family}: {len(looks)} rounds"


def test_memory_of_the_index_is_at_most_27_bytes_a_key():
    index, rng = IdIndex(), np.random.default_rng(3)
    for _ in range(60):
        index.add(np.unique(rng.integers(-2**63, 2**63 - 1, 5003)))
        if len(index) > 20_000:
            assert index.nbytes <= 27 * len(index)


def test_rows_grow_in_place_with_an_eighth_of_room():
    rows = Growing(3, np.float32)
    total = 0
    for count in (1, 15, 16, 5000, 7, 100_000, 20_000):
        at = rows.extend(count)
        assert (at.start, at.stop) == (total, total + count)
        rows.all[at] = np.arange(total, total + count)[:, None] + [0, 0.25, 0.5]
        total += count
        assert rows.used.shape == (total, 3)
        assert len(rows.all) <= total + max(total // 8, 1024) + 16
    assert np.array_equal(rows.used, np.arange(total)[:, None] + np.array([0, 0.25, 0.5], np.float32))


def test_a_view_that_somebody_kept_stays_what_it_was():
    rows = Growing(2, np.float32)
    rows.append(np.full((16, 2), 7))
    kept = rows.used
    rows.extend(100_000)
    assert (rows.all[:16] == 7).all()
    rows.all[:] = 1
    assert (kept == 7).all()
    numbers = Growing(0, np.int64)
    numbers.append(range(5))
    assert numbers.used.tolist() == [0, 1, 2, 3, 4]
