"""Halving–doubling with the near or the far partner first: who swaps what with whom, and where the option belongs."""

import re

import numpy as np
import pytest

from pslab import cost
from pslab.collectives import all_reduce
from pslab.comm import Link, SimWorld

LINK = Link(latency_s=0.0, overhead_s=1e-3, bandwidth_Bps=1e5)


def program(comm, P, options):
    x = (np.arange(P) * comm.world_size + comm.rank).astype(np.float32)
    all_reduce(comm, x, algorithm="halving_doubling", **options)
    return x


def messages(K, P, distances):
    """Everyone's set of elements is told: partners split the set they share, the lower rank keeps the lower half."""
    H = 2 ** len(distances)
    sent = {rank: [(rank - H, 4 * P)] if rank >= H else [] for rank in range(K)}
    care, back = {rank: np.array_split(np.arange(P), H) for rank in range(H)}, []
    for distance in distances:
        for rank in range(H):
            half = len(care[rank]) // 2
            low, high = care[rank][:half], care[rank][half:]
            upper = rank // distance % 2
            kept, given = (high, low) if upper else (low, high)
            partner = rank - distance if upper else rank + distance
            sent[rank].append((partner, 4 * sum(map(len, given))))
            back.insert(0, (rank, partner, 4 * sum(map(len, kept))))
            care[rank] = kept
    for rank, partner, payload_bytes in back:
        sent[rank].append((partner, payload_bytes))
    for rank in range(H, K):
        sent[rank - H].append((rank, 4 * P))
    return sent, care


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 7, 8, 11])
@pytest.mark.parametrize(("options", "near"), [({}, True), ({"partner": "near"}, True), ({"partner": "far"}, False)])
def test_messages_in_their_order(K, options, near):
    distances = [1 << bit for bit in range(K.bit_length() - 1)]
    for P in sorted({0, 1, K - 1, K + 1, 1000}):
        run = SimWorld(K, link=LINK).run(program, P, options)
        for x in run.results:
            np.testing.assert_array_equal(x, np.arange(P) * K * K + K * (K - 1) // 2)
        expected, _ = messages(K, P, distances if near else distances[::-1])
        sent = {rank: [] for rank in range(K)}
        for event in sorted(run.trace.events, key=lambda event: event.start_s):
            sent[event.src].append((event.dst, event.payload_bytes))
        assert sent == expected
        traffic = cost.halving_doubling_all_reduce(P, K, 4, **options)
        assert [run.ledger.port(rank) for rank in range(K)] == [tuple(port) for port in traffic.ports]
        assert run.seconds == pytest.approx(traffic.seconds(1e-3, 1e5), rel=1e-9)


def test_the_largest_messages_go_near_or_far():
    def largest(options):
        events = SimWorld(8).run(program, 800, options).trace.events
        return {abs(event.src - event.dst) for event in events if event.payload_bytes == 1600}

    assert largest({}) == largest({"partner": "near"}) == {1}
    assert largest({"partner": "far"}) == {4}


def test_far_first_leaves_rank_r_with_piece_r():
    for K in (2, 4, 8):
        distances = [1 << bit for bit in range(K.bit_length() - 1)]
        _, care = messages(K, 100, distances[::-1])
        for rank, piece in enumerate(np.array_split(np.arange(100), K)):
            np.testing.assert_array_equal(np.concatenate(care[rank]), piece)


@pytest.mark.parametrize("algorithm", ["auto", "ring", "chunked_ring", "binomial", "hierarchical"])
@pytest.mark.parametrize("partner", ["near", "far"])
def test_the_option_is_refused_elsewhere(algorithm, partner):
    message = f"partner= belongs to algorithm='halving_doubling'; this call has algorithm={algorithm!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        SimWorld(2).run(lambda comm: all_reduce(comm, np.ones(3), algorithm=algorithm, partner=partner))


@pytest.mark.parametrize("partner", ["close", "", 1, True])
def test_unknown_partners(partner):
    with pytest.raises(ValueError, match=re.escape(f"partner={partner!r}; allowed: 'near', 'far'")):
        SimWorld(1).run(lambda comm: all_reduce(comm, np.ones(3), algorithm="halving_doubling", partner=partner))
    with pytest.raises(ValueError, match=re.escape(f"partner={partner!r}; allowed: 'near', 'far'")):
        cost.halving_doubling_all_reduce(10, 4, partner=partner)
