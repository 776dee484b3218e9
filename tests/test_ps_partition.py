"""Partitions: every key has one owner, the same in every process; hashes are even; a ring moves little."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pslab.ps import ConsistentHash, HashPartition, RangePartition, TableConfig

KINDS = [RangePartition(), HashPartition(), HashPartition(7), ConsistentHash(), ConsistentHash(16, 3)]
RNG = np.random.default_rng(2)
ANY_KEYS = np.unique(RNG.integers(-2**63, 2**63 - 1, 20_000, endpoint=True))


def name_of(value):
    return f"{value!r}".replace("num_rows=None, num_servers=None", "") if hasattr(value, "bind") else None


@pytest.mark.parametrize("num_servers", [1, 2, 3, 7])
@pytest.mark.parametrize("num_rows", [1, 2, 5, 101])
@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_every_row_has_one_owner(kind, num_rows, num_servers):
    part = kind.bind(num_rows, num_servers)
    keys = np.arange(num_rows)
    owner = part.owner(keys)
    assert owner.dtype == np.int64
    assert part.servers == tuple(range(num_servers))
    owned = [np.array(part.owned(server), np.int64) for server in range(num_servers)]     # S > R leaves some empty
    assert sorted(np.concatenate(owned).tolist()) == keys.tolist()
    for server, mine in enumerate(owned):
        assert (np.diff(mine) > 0).all()
        assert (owner[mine] == server).all()
    assert isinstance(part.owned(0), range) == part.contiguous


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_split_is_the_owners_and_nothing_empty(kind):
    part = kind.bind(1000, 5)
    for keys in (np.array([3]), np.sort(RNG.permutation(1000)[:77]), np.arange(1000), range(10, 300), range(4, 5)):
        pieces = part.split(keys)
        servers = [server for server, _ in pieces]
        assert servers == sorted(set(servers))
        seen = []
        for server, at in pieces:
            at = np.arange(len(keys))[at]
            assert len(at)
            assert (np.diff(at) > 0).all()
            assert (part.owner(np.array(keys)[at]) == server).all()
            seen.append(at)
        assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(len(keys)))
        assert all(isinstance(at, slice) for _, at in pieces) or not part.contiguous
    assert part.split(np.empty(0, np.int64)) == part.split(range(4, 4)) == []


@pytest.mark.parametrize("kind", KINDS[1:], ids=name_of)
def test_split_takes_keys_in_any_order_and_keeps_it(kind):
    part = kind.bind(1000, 4)
    keys = RNG.permutation(1000)[:200]
    for server, at in part.split(keys):
        assert np.array_equal(at, np.flatnonzero(part.owner(keys) == server))
    (server, at), = kind.bind(1000, 1).split(keys)
    assert (server, at) == (0, slice(0, 200))


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_tables_without_an_end_take_any_64_bit_key(kind):
    part = kind.bind(None, 4)
    owner = part.owner(ANY_KEYS)
    assert set(owner.tolist()) == {0, 1, 2, 3}
    extremes = np.array([-2**63, -1, 0, 1, 2**63 - 1])
    assert set(part.owner(extremes).tolist()) <= {0, 1, 2, 3}
    pieces = part.split(ANY_KEYS)
    assert sum(len(ANY_KEYS[at]) for _, at in pieces) == len(ANY_KEYS)
    assert all((owner[at] == server).all() for server, at in pieces)
    if not part.contiguous:
        assert np.array_equal(part.owner(ANY_KEYS.view(np.uint64)), owner)
        with pytest.raises(ValueError, match="owned\\(0\\) of a table of any 64-bit keys"):
            part.owned(0)


def test_ranges_of_a_table_without_an_end_cut_the_key_space_evenly():
    part = RangePartition().bind(None, 4)
    quarter = 2**61
    keys = np.array([-5, 0, quarter - 1, quarter, 2 * quarter, 3 * quarter - 1, 3 * quarter, 2**63 - 1])
    assert part.owner(keys).tolist() == [0, 0, 0, 1, 2, 2, 3, 3]
    assert part.split(keys) == [(0, slice(0, 3)), (1, slice(3, 4)), (2, slice(4, 6)), (3, slice(6, 8))]


@pytest.mark.parametrize("make", [HashPartition, lambda seed: ConsistentHash(seed=seed)])
def test_the_seed_decides(make):
    owners = [make(seed).bind(None, 8).owner(ANY_KEYS) for seed in (0, 1, -1, 2**40)]
    for i, one in enumerate(owners):
        for other in owners[:i]:
            assert (one == other).mean() == pytest.approx(1 / 8, abs=0.03 if make is HashPartition else 0.06)


def test_the_number_of_points_decides():
    few, many = (ConsistentHash(points).bind(None, 8).owner(ANY_KEYS) for points in (4, 128))
    assert (few != many).any()


@pytest.mark.parametrize("keys", [np.arange(30_000), np.arange(30_000) * 8, np.arange(30_000) << 40, ANY_KEYS],
                         ids=["counting", "multiples", "high-bits", "random"])
def test_hashes_are_even_whatever_the_keys_are(keys):
    for num_servers in (3, 8):
        counts = np.bincount(HashPartition(1).bind(None, num_servers).owner(keys), minlength=num_servers)
        mean = len(keys) / num_servers
        assert ((counts - mean)**2 / mean).sum() < 30           # χ² of 7 degrees of freedom: 30 is 1 in 10,000


def test_a_ring_of_128_points_is_even_enough():
    """Max/mean <= 1.35 over 10 servers; fewer points are worse, as 1/√points says."""
    keys = np.arange(100_000)

    def worst(points, seed):
        counts = np.bincount(ConsistentHash(points, seed).bind(None, 10).owner(keys), minlength=10)
        return counts.max() / counts.mean()
    by_seed = [worst(128, seed) for seed in range(20)]
    assert max(by_seed) <= 1.35
    assert np.mean([worst(4, seed) for seed in range(20)]) > 1.6 > 1.25 > np.mean(by_seed)


SCRIPT = """
import hashlib, importlib.util, sys, types, numpy as np
room = types.ModuleType("pslab.ps")             # the partitions alone: all of pslab.ps is 2 s of imports
room.__path__ = importlib.util.find_spec("pslab").submodule_search_locations[0] + "/ps",
sys.modules["pslab.ps"] = room
from pslab.ps.partition import ConsistentHash, HashPartition
keys = np.arange(-500, 500) * 7919
owners = [kind.bind(None, 7).owner(keys) for kind in (HashPartition(3), ConsistentHash(32, 3))]
print(hash("a"), hashlib.sha256(np.concatenate(owners).astype("<i8").tobytes()).hexdigest())
"""


def test_owners_are_the_same_in_every_process():
    """Three hash seeds of Python: its own hash() differs, the owners do not; and they are what they were when the
    function was written, on every machine and version."""
    seen = []
    for seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
        seen.append(done.stdout.split())
    hashes, owners = zip(*seen)
    assert len(set(hashes)) == 3
    assert set(owners) == {"7599e70db161e0e243f1c3797d8c800bf8931b4e52634bcb8ce2ab25b5cd2dd2"}
    first = np.arange(12)
    assert HashPartition().bind(None, 5).owner(first).tolist() == [1, 3, 2, 4, 0, 4, 3, 1, 1, 0, 1, 2]
    assert ConsistentHash().bind(None, 5).owner(first).tolist() == [0, 2, 2, 1, 0, 0, 4, 0, 1, 4, 3, 4]


def test_owner_is_the_next_point_on_the_ring():
    """The vectorised search against a walk around the ring."""
    part = ConsistentHash(points=5, seed=9).bind(None, 4)
    places, owners = part._ring
    assert len(places) == 20
    assert (np.diff(places) > 0).all()
    from pslab.ps.partition.hashed import hash_keys
    keys = np.arange(300)
    spots, wraps = hash_keys(keys, 9), 0
    for key, spot in zip(keys, spots.tolist()):
        walk = [owner for place, owner in zip(places.tolist(), owners.tolist()) if place >= spot]
        wraps += not walk
        assert part.owner(keys[key:key + 1])[0] == (walk or owners.tolist())[0]
    assert wraps


@pytest.mark.parametrize(("make", "words"), [
    (lambda: HashPartition("a"), "seed='a'"), (lambda: HashPartition(True), "seed=True"),
    (lambda: HashPartition(2**70), "seed=1180591620717411303424; a whole number of 64 bits"),
    (lambda: ConsistentHash(0), "points=0"), (lambda: ConsistentHash(2.5), "points=2.5"),
    (lambda: ConsistentHash(seed=None), "seed=None"),
    (lambda: HashPartition().owner(np.arange(3)), "this HashPartition knows no table yet; use bind"),
    (lambda: ConsistentHash().owner(np.arange(3)), "this ConsistentHash knows no table yet"),
    (lambda: RangePartition().split(range(3)), "this RangePartition knows no table yet"),
    (lambda: HashPartition().bind(0, 2), "num_rows=0; a whole number from 1 is needed, or None"),
    (lambda: HashPartition().bind(5, 0), "num_servers=0"), (lambda: RangePartition().bind(5, 1.5), "num_servers=1.5"),
    (lambda: HashPartition().bind(5, 2).owned(2), r"server=2; allowed: 0\.\.1"),
    (lambda: RangePartition().bind(5, 2).owned(-1), r"server=-1; allowed: 0\.\.1"),
    (lambda: ConsistentHash().bind(5, 4).without(1).owned(1), "server=1; allowed: 0, 2, 3"),
    (lambda: ConsistentHash().bind(5, 4).without(5), "server=5"),
    (lambda: ConsistentHash().bind(5, 1).without(0), "server=0 is the only one"),
    (lambda: TableConfig("t", 2, 4, partition="hash"), "partition='hash'; a Partition object")])
def test_partitions_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()
