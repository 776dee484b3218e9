"""Uplink bytes and times on racks: the closed forms against runs, for every all-reduce, placement and rank order."""

import random
import re

import numpy as np
import pytest

from pslab import cost
from pslab.collectives import all_reduce
from pslab.collectives.all_reduce import ALGORITHMS
from pslab.comm import Link, Racks, SimWorld
from pslab.cost.racks import ALGORITHMS as TOLD

PORT = Link(latency_s=0.0, overhead_s=1e-3, bandwidth_Bps=1e6)
UPLINKS = [PORT, Link(latency_s=0.0, overhead_s=3e-3, bandwidth_Bps=4e5)]
VARIANTS = [("ring", {}), ("chunked_ring", {"chunks": 3}), ("binomial", {}), ("halving_doubling", {}),
            ("halving_doubling", {"partner": "far"}), ("recursive_doubling", {}), ("hierarchical", {})]
VARIANTS = [(name, options) for name, options in VARIANTS if name in ALGORITHMS]
IDS = [" ".join([name, *options.get("partner", "").split()]) for name, options in VARIANTS]


def test_every_algorithm_is_here():
    assert {name for name, _ in VARIANTS} == set(ALGORITHMS) <= set(TOLD)


def program(comm, order, P, options):
    """The all-reduce, in the group that is numbered in this order; element j of number i is j·K + i."""
    group = comm if order is None else comm.split(0, key=order.index(comm.rank))
    x = (np.arange(P) * group.world_size + group.rank).astype(np.float64)
    began_s = comm.now()
    all_reduce(group, x, **options)
    K = group.world_size
    np.testing.assert_array_equal(x, np.arange(P) * K * K + K * (K - 1) // 2)
    return comm.now() - began_s


def shuffled(K, seed):
    ranks = list(range(K))
    random.Random(seed).shuffle(ranks)
    return ranks


PLACEMENTS = [[[0]], [[0], [1]], [[0, 1, 2]], [[0, 1], [2, 3]], [[0, 2], [1, 3]], [[3, 0], [1], [2, 4]],
              [[0, 1, 2], [3, 4, 5], [6]], [[6, 1], [0, 5, 2], [3, 4]], [[0, 1, 2, 3], [4, 5, 6, 7]]]


@pytest.mark.parametrize(("algorithm", "options"), VARIANTS, ids=IDS)
def test_bytes_over_every_uplink(algorithm, options):
    told = {name: value for name, value in options.items() if name == "partner"}
    for racks in PLACEMENTS:
        K = sum(map(len, racks))
        world = SimWorld(K, racks=Racks(racks))
        orders = [None, world.racks.rack_by_rack(K), world.racks.alternating(K), shuffled(K, 1), shuffled(K, 2)]
        for P, order in [(100, order) for order in orders] + [(0, None), (1, orders[3]), (K - 1, orders[4])]:
            number = {rank: i for i, rank in enumerate(order or range(K))}
            groups = {"groups": [[number[rank] for rank in rack] for rack in racks]} if algorithm == "hierarchical" \
                else {}
            run = world.run(program, order, P, {"algorithm": algorithm, **options, **groups})
            links = cost.all_reduce_links(algorithm, P, K, 8, **told, **groups)
            place = order or list(range(K))
            assert links == {(number[src], number[dst]): run.ledger.link(src, dst) for src in place for dst in place
                             if run.ledger.link(src, dst)}
            expected = cost.uplink_bytes(links, racks, order)
            assert [run.ledger.uplink(rack) for rack in range(len(racks))] == [tuple(port) for port in expected]


def test_the_table_of_even_cases():
    """G = 4 racks of g = 4 ranks, n = 1600 bytes, as printed at the head of `cost.racks`."""
    G, g, K, n = 4, 4, 16, 1600
    racks = Racks(g)

    def each_way(algorithm, order="rack_by_rack", **options):
        ports = cost.uplink_bytes(cost.all_reduce_links(algorithm, n // 4, K, 4, **options), racks.of(K),
                                  getattr(racks, order)(K))
        assert all(port.out_bytes == port.in_bytes for port in ports)
        return [port.out_bytes for port in ports]

    near, far = {"partner": "near"}, {"partner": "far"}
    ring, halved = 2 * (K - 1) * n // K, 2 * (G - 1) * n // G
    assert each_way("ring") == each_way("chunked_ring") == [ring] * G
    assert each_way("ring", "alternating") == [g * ring] * G
    for order, few, many in (("rack_by_rack", near, far), ("alternating", far, near)):
        assert each_way("halving_doubling", order, **few) == [halved] * G
        assert each_way("halving_doubling", order, **many) == [g * halved] * G
    assert each_way("recursive_doubling") == each_way("recursive_doubling", "alternating") == [g * 2 * n] * G
    assert max(each_way("binomial")) == 2 * n * g
    assert max(each_way("binomial", "alternating")) == 2 * n
    assert each_way("hierarchical", groups=racks.of(K)) == [halved] * G


@pytest.mark.parametrize("uplink", UPLINKS, ids=["as a port", "narrow"])
@pytest.mark.parametrize("order", ["rack by rack", "alternating"])
@pytest.mark.parametrize(("algorithm", "options"), VARIANTS, ids=IDS)
def test_time_on_racks(algorithm, options, order, uplink):
    """Ranks are placed in this order, so that no split takes time of its own; P is a multiple of all there is."""
    for G, g in ((1, 4), (2, 1), (2, 2), (2, 4), (4, 2), (4, 4), (3, 2), (1, 1)):
        K = G * g
        if algorithm in ("binomial", "halving_doubling", "recursive_doubling") and K & (K - 1):
            continue
        blocks = [list(range(rack * g, rack * g + g)) for rack in range(G)]
        racks = blocks if order == "rack by rack" else [list(range(rack, K, G)) for rack in range(G)]
        groups = {"groups": racks} if algorithm == "hierarchical" else {}
        run = SimWorld(K, link=PORT, racks=Racks(racks, uplink)).run(
            program, None, 432, {"algorithm": algorithm, **options, **groups})
        form = cost.all_reduce_on_racks_s(
            algorithm, 432, G, g, itemsize=8, order=order, alpha_s=PORT.overhead_s, bandwidth_Bps=PORT.bandwidth_Bps,
            uplink_alpha_s=uplink.overhead_s, uplink_bandwidth_Bps=uplink.bandwidth_Bps, **options)
        assert run.seconds == pytest.approx(form, rel=1e-9), (G, g)


def test_rank_order_and_placement_in_figures():
    """8 ranks in 2 racks, an uplink as fast as a port, 8,000 bytes: what a lecture says about them."""
    link = Link(latency_s=0.0, bandwidth_Bps=1e6)

    def seconds(racks, **options):
        return SimWorld(8, link=link, racks=Racks(racks, link)).run(program, None, 1000, options).seconds

    side, mixed = [[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 2, 4, 6], [1, 3, 5, 7]]
    times = {
        "ring in rack order": (seconds(side, algorithm="ring"), 14e-3),
        "ring, alternating": (seconds(mixed, algorithm="ring"), 4 * 14e-3),
        "near first": (seconds(side, algorithm="halving_doubling"), 2 * (4e-3 + 2e-3 + 4 * 1e-3)),
        "far first": (seconds(side, algorithm="halving_doubling", partner="far"), 2 * (4 * 4e-3 + 2e-3 + 1e-3)),
        "leaders": (seconds(side, algorithm="hierarchical", groups=4), 2 * 2 * 8e-3 + 2 * 4e-3)}
    for name, (seen, expected) in times.items():
        assert seen == pytest.approx(expected, rel=1e-9), name


def test_bad_input():
    def on_racks(**other):
        given = {"algorithm": "ring", "elements": 8, "G": 2, "g": 2, "alpha_s": 0.0, "bandwidth_Bps": 1.0,
                 "uplink_alpha_s": 0.0, "uplink_bandwidth_Bps": 1.0, **other}
        return cost.all_reduce_on_racks_s(**given)

    links = cost.all_reduce_links("ring", 8, 4)
    refused = [
        (lambda: cost.all_reduce_links("star", 8, 4), "algorithm='star'; allowed: ring, chunked_ring"),
        (lambda: cost.all_reduce_links("ring", -1, 4), "elements=-1"),
        (lambda: cost.all_reduce_links("ring", 1, 0), "K=0"),
        (lambda: cost.all_reduce_links("halving_doubling", 8, 4, partner="next"), "partner='next'; allowed: 'near'"),
        (lambda: cost.all_reduce_links("hierarchical", 8, 4), "groups=None"),
        (lambda: cost.all_reduce_links("hierarchical", 8, 4, groups=[[0, 1], [2]]), "groups=[[0, 1], [2]]; each of"),
        (lambda: cost.uplink_bytes(links, [[0, 1], [1, 2]]), "racks=[[0, 1], [1, 2]]; each of the ranks"),
        (lambda: cost.uplink_bytes(links, []), "racks=[]"),
        (lambda: cost.uplink_bytes(links, [[0, 1]]), "links names (1, 2); there are 2 ranks"),
        (lambda: cost.uplink_bytes(links, [[0, 1], [2, 3]], [0, 1, 1, 2]), "order=[0, 1, 1, 2]; ranks from 0 to 3"),
        (lambda: cost.uplink_bytes(links, [[0, 1], [2, 3]], [0, 1, 2, 4]), "order=[0, 1, 2, 4]"),
        (lambda: on_racks(order="random"), "order='random'; allowed: 'rack by rack', 'alternating'"),
        (lambda: on_racks(algorithm="halving_doubling", G=3), "G=3, g=2: halving_doubling is told for powers of two"),
        (lambda: on_racks(algorithm="halving_doubling", partner="left"), "partner='left'; allowed"),
        (lambda: on_racks(algorithm="star"), "algorithm='star'"), (lambda: on_racks(g=0), "g=0"),
        (lambda: on_racks(uplink_bandwidth_Bps=0.0), "bandwidth_Bps=0.0"),
        (lambda: on_racks(elements=-3), "elements=-3")]
    for call, message in refused:
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
