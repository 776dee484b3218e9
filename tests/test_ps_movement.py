"""Movement plans: who must send what when servers come or go, how much that is, and that it is enough."""

import numpy as np
import pytest

from pslab.ps import Adam, ConsistentHash, HashPartition, RangePartition, RowWiseAdaGrad
from pslab.ps.partition import imbalance, movement_plan, server_loads, zipf

KINDS = {"range": RangePartition(), "hash": HashPartition(3), "ring": ConsistentHash(64, 3)}
ANY_KEYS = np.unique(np.random.default_rng(2).integers(-2**63, 2**63 - 1, 5_000, endpoint=True))


def carried_out(plan, old, new, keys):
    """Each server's keys after the plan, from those before it; every move must find its keys where it takes them."""
    held = {server: set(keys[old.owner(keys) == server].tolist()) for server in {*old.servers, *new.servers}}
    for move in plan:
        moved = set(np.array(move.keys).tolist())
        assert len(move) == len(moved) > 0
        assert moved <= held[move.source]
        held[move.source] -= moved
        assert not moved & held[move.target]
        held[move.target] |= moved
    return held


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 2), (4, 5), (5, 1), (3, 3), (2, 7)])
@pytest.mark.parametrize(("first", "last"), [("range", "range"), ("hash", "hash"), ("ring", "ring"), ("range", "hash"),
                                             ("ring", "range")])
@pytest.mark.parametrize("num_rows", [1, 4, 500, None])
def test_a_plan_gives_the_new_ownership_and_is_the_smallest(num_rows, first, last, before, after):
    old, new = KINDS[first].bind(num_rows, before), KINDS[last].bind(num_rows, after)
    keys = ANY_KEYS if num_rows is None else np.arange(num_rows)
    plan = movement_plan(old, new, ANY_KEYS if num_rows is None else None)
    held = carried_out(plan, old, new, keys)
    for server, mine in held.items():
        assert mine == set(keys[new.owner(keys) == server].tolist())
    assert plan.moved_rows == (old.owner(keys) != new.owner(keys)).sum()        # none that could have stayed
    assert plan.num_keys == len(keys)
    pairs = [(move.source, move.target) for move in plan]
    assert pairs == sorted(set(pairs))
    for server in held:
        assert plan.leaving(server) == [move for move in plan if move.source == server]
        assert plan.arriving(server) == [move for move in plan if move.target == server]


def test_contiguous_moves_are_ranges_and_cost_nothing_to_plan():
    old, new = RangePartition().bind(12, 2), RangePartition().bind(12, 3)
    moves = [(move.source, move.target, move.keys) for move in movement_plan(old, new)]
    assert moves == [(0, 1, range(4, 6)), (1, 2, range(8, 12))]
    huge = movement_plan(RangePartition().bind(10**12, 9), RangePartition().bind(10**12, 10))
    assert len(huge) == 9
    assert huge.moved_fraction == pytest.approx(1 / 2)


@pytest.mark.parametrize("servers", [1, 2, 4, 9])
def test_how_much_moves_when_a_server_comes(servers):
    """S/(S + 1) by a hash modulo S, 1/2 by ranges (exactly so when S(S + 1) divides R), 1/(S + 1) on a ring."""
    rows = 90 * 1000
    fraction = {name: movement_plan(kind.bind(rows, servers), kind.bind(rows, servers + 1)).moved_fraction
                for name, kind in KINDS.items()}
    assert fraction["range"] == 1 / 2
    assert fraction["hash"] == pytest.approx(servers / (servers + 1), abs=0.006)        # 4σ = 2/√R
    by_seed = [movement_plan(ConsistentHash(128, seed).bind(3000, servers),
                             ConsistentHash(128, seed).bind(3000, servers + 1)).moved_fraction for seed in range(40)]
    assert np.mean(by_seed) == pytest.approx(1 / (servers + 1), rel=0.08)
    assert fraction["ring"] == pytest.approx(1 / (servers + 1), rel=0.35)


def test_keys_equal_by_both_remainders_stay_where_a_hash_is_the_key_itself():
    """The count behind S/(S + 1): of the S(S + 1) remainders of a hash, S leave the server as it was."""
    for servers in range(1, 12):
        hashes = np.arange(servers * (servers + 1))
        assert (hashes % servers == hashes % (servers + 1)).sum() == servers


@pytest.mark.parametrize("servers", [1, 3, 10])
def test_on_a_ring_keys_move_only_to_the_new_server_and_only_from_the_removed_one(servers):
    old, new = ConsistentHash().bind(20_000, servers), ConsistentHash().bind(20_000, servers + 1)
    grown = movement_plan(old, new)
    assert {move.target for move in grown} == {servers}
    assert {move.source for move in grown} == set(range(servers))
    assert grown.moved_rows == len(new.owned(servers))
    keys = np.arange(20_000)
    for gone in {0, servers // 2, servers}:
        left = new.without(gone)
        assert gone not in left.servers
        assert gone not in left.owner(keys)
        shrunk = movement_plan(new, left)
        assert {move.source for move in shrunk} == {gone}
        assert shrunk.moved_rows == len(new.owned(gone))
    assert np.array_equal(new.without(servers).owner(keys), old.owner(keys))        # the last one: as it never was
    if servers > 1:
        both = new.without(0).without(servers)
        assert both.servers == tuple(range(1, servers))
        assert np.array_equal(both.owner(keys), old.without(0).owner(keys))


def test_bytes_of_a_plan():
    plan = movement_plan(RangePartition().bind(12, 2), RangePartition().bind(12, 3))
    assert plan.moved_rows == 6
    assert plan.payload_bytes(dim=5) == 6 * 5 * 4
    assert plan.payload_bytes(dim=5, rule=Adam(0.1)) == 6 * (5 + 2 * 5) * 4
    assert plan.payload_bytes(dim=5, rule=RowWiseAdaGrad(0.1)) == 6 * (5 + 1) * 4
    assert plan.payload_bytes(dim=5, rule=RowWiseAdaGrad(0.1), bytes_per_value=2) == 6 * (5 * 2 + 4)
    assert movement_plan(RangePartition().bind(12, 2), RangePartition().bind(12, 2)).payload_bytes(5) == 0


@pytest.mark.parametrize(("make", "words"), [
    (lambda: movement_plan(RangePartition(), RangePartition().bind(5, 2)), "old=RangePartition.*after bind"),
    (lambda: movement_plan(RangePartition().bind(5, 2), "ring"), "new='ring'"),
    (lambda: movement_plan(RangePartition().bind(5, 2), RangePartition().bind(6, 2)), "old has num_rows=5, new 6"),
    (lambda: movement_plan(HashPartition().bind(None, 2), HashPartition().bind(None, 3)), "keys=None; .*keys that it"),
    (lambda: zipf(0), "num_rows=0"), (lambda: zipf(3, -1), "exponent=-1"), (lambda: imbalance([0, 0]), "loads="),
    (lambda: server_loads(HashPartition().bind(3, 2), [1, 2, 3], 4), r"replicated=4; with 3 rows 0\.\.3"),
    (lambda: server_loads(HashPartition().bind(3, 2), [[1.0]]), r"requests has shape \(1, 1\)"),
    (lambda: server_loads(HashPartition().bind(3, 2), [1, -2, 3]), "requests")])
def test_plans_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- hot keys -------------------------------------------------------------------------------------------------------


def test_zipf_shares():
    shares = zipf(4, 2.0)
    np.testing.assert_allclose(shares * (1 + 1 / 4 + 1 / 9 + 1 / 16), [1, 1 / 4, 1 / 9, 1 / 16])
    assert (zipf(5, 0) == 0.2).all()


@pytest.mark.parametrize("part", [HashPartition().bind(50, 3), ConsistentHash().bind(50, 4).without(1)],
                         ids=["hash", "ring"])
def test_loads_row_by_row(part):
    requests = np.random.default_rng(0).permutation(50) + 1
    hottest = sorted(range(50), key=lambda row: -requests[row])[:7]
    expected = dict.fromkeys(part.servers, 0.0)
    for row in range(50):
        for server in part.servers:
            if row in hottest:
                expected[server] += requests[row] / len(part.servers)
            elif part.owner(np.array([row]))[0] == server:
                expected[server] += requests[row]
    np.testing.assert_allclose(server_loads(part, requests, replicated=7), list(expected.values()))
    assert server_loads(part, requests).sum() == pytest.approx(requests.sum())


def test_copies_of_hot_rows_even_out_zipf():
    """Without copies the server of row 0 has at least S times its share; the spread falls as more rows are copied."""
    requests, part = zipf(10_000, 1.1), HashPartition(1).bind(10_000, 8)
    worst = [imbalance(server_loads(part, requests, hot)) for hot in (0, 1, 10, 100, 10_000)]
    assert worst[0] >= 8 * requests[0]
    assert worst[0] > 1.5
    assert all(a > b for a, b in zip(worst, worst[1:]))
    assert worst[3] < 1.1
    assert worst[4] == pytest.approx(1.0)
