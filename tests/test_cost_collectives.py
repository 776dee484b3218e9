"""The ring's closed forms against a ring that is walked message by message, and against the textbook figures."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pslab import cost
from pslab.cost import Port


def walk_ring(chunks, reduce_scatter=True, all_gather=True):
    """(ports, longest chain of bytes) of a ring in which every message is put on its link one by one."""
    K = len(chunks)
    out, into, finish = [0] * K, [0] * K, [0] * K
    schedule = []
    if reduce_scatter:
        schedule += [lambda r, t=t: (r - t - 1) % K for t in range(K - 1)]
    if all_gather:
        schedule += [lambda r, t=t: (r - t) % K for t in range(K - 1)]
    for chunk_of in schedule:
        arrive = [0] * K
        for r in range(K):
            size, right = chunks[chunk_of(r)], (r + 1) % K
            out[r] += size
            into[right] += size
            arrive[right] = finish[r] + size
        # a rank goes on when its own send has left and what it needs next has come
        finish = [max(arrive[r], finish[r] + chunks[chunk_of(r)]) for r in range(K)]
    return tuple(Port(*pair) for pair in zip(out, into)), max(finish)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_chunks_are_those_of_tensor_split(elements, K):
    assert list(cost.chunk_sizes(elements, K)) == [len(piece) for piece in torch.tensor_split(torch.zeros(elements), K)]


@given(st.integers(0, 5_000), st.integers(1, 17), st.sampled_from([1, 2, 4, 8]))
def test_ring_all_reduce_is_exact_for_every_length(elements, K, itemsize):
    traffic = cost.ring_all_reduce(elements, K, itemsize)
    ports, _ = walk_ring([size * itemsize for size in cost.chunk_sizes(elements, K)])
    assert traffic.ports == ports
    assert traffic.total == 2 * (K - 1) * elements * itemsize, "every element crosses K − 1 links in each half"
    # uneven chunks move the busiest port away from the textbook figure by less than two elements
    assert abs(traffic.busiest - cost.all_reduce_bytes_even(elements * itemsize, K)) < 2 * itemsize
    assert traffic.rounds == 2 * (K - 1)


@given(st.integers(0, 5_000), st.integers(1, 17))
def test_ring_halves_are_exact(elements, K):
    chunks = [4 * size for size in cost.chunk_sizes(elements, K)]
    assert cost.ring_reduce_scatter(elements, K).ports == walk_ring(chunks, all_gather=False)[0]
    assert cost.ring_all_gather(chunks).ports == walk_ring(chunks, reduce_scatter=False)[0]
    halves = cost.add_traffic(cost.ring_reduce_scatter(elements, K), cost.ring_all_gather(chunks))
    assert halves == cost.ring_all_reduce(elements, K)


@given(st.integers(2, 12), st.integers(0, 3_000))
def test_ring_time_is_the_longest_chain(K, elements):
    chunks = [4 * size for size in cost.chunk_sizes(elements, K)]
    assert cost.ring_all_reduce(elements, K).critical_bytes == walk_ring(chunks)[1]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=9))
def test_ragged_all_gather_walks_like_a_ring(pieces):
    traffic, (ports, _) = cost.ring_all_gather(pieces), walk_ring(pieces, reduce_scatter=False)
    assert traffic.ports == ports
    assert traffic.total == (len(pieces) - 1) * sum(pieces)


def test_hand_case_ten_elements_over_four_ranks():
    # chunks 3 3 2 2; rank 0 never sends chunk 0 in the first half, nor chunk 1 in the second: 20 − 3 − 3 elements
    assert cost.ring_all_reduce(10, 4).ports == (Port(56, 60), Port(60, 56), Port(64, 60), Port(60, 64))
    assert cost.ring_all_reduce(10, 4).seconds(alpha_s=1.0, bandwidth_Bps=12.0) == 6 * 1.0 + 6 * 12 / 12.0


def test_each_knob_of_seconds_matters():
    ring = cost.ring_all_reduce(4_000, 4)
    assert ring.seconds(10e-6, 1e9) == pytest.approx(6 * (10e-6 + 4_000 / 1e9), rel=1e-12)
    assert ring.seconds(20e-6, 1e9) - ring.seconds(10e-6, 1e9) == pytest.approx(60e-6, rel=1e-9)
    assert ring.seconds(0, 2e9) == ring.seconds(0, 1e9) / 2


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16])
def test_broadcast_tree_reaches_everyone_once(K):
    for src in {0, K // 2, K - 1}:
        traffic = cost.broadcast(100, K, src)
        assert traffic.total == 100 * (K - 1)
        assert [port.in_bytes for port in traffic.ports] == [0 if r == src else 100 for r in range(K)]
        assert traffic.rounds == math.ceil(math.log2(K))
        assert traffic.ports[src].out_bytes == 100 * traffic.rounds, "the root sends in every round"
        assert traffic.critical_bytes == 100 * traffic.rounds


@given(st.integers(1, 6).flatmap(
    lambda K: st.lists(st.lists(st.integers(0, 99), min_size=K, max_size=K), min_size=K, max_size=K)))
def test_all_to_all_counts_rows_and_columns_without_the_diagonal(sent):
    off = torch.tensor(sent) * (1 - torch.eye(len(sent), dtype=torch.int64))
    traffic = cost.all_to_all(sent)
    assert traffic.ports == tuple(zip(off.sum(1).tolist(), off.sum(0).tolist()))
    assert traffic.total == int(off.sum())
    assert off.max() * (len(sent) > 1) <= traffic.critical_bytes <= off.sum()


def test_all_to_all_uniform_is_k_minus_one_messages():
    traffic = cost.all_to_all([[25] * 4] * 4)
    assert traffic.ports == (Port(75, 75),) * 4
    assert (traffic.rounds, traffic.critical_bytes) == (3, 75)


@given(st.integers(2, 64), st.integers(1, 5_000), st.integers(1, 300), st.sampled_from([0, 4, 8]))
def test_sparse_all_gather_is_k_minus_one_halves_of_a_server(K, n, row_bytes, key_bytes):
    gather = cost.sparse_all_gather(n, K, row_bytes, key_bytes).total
    server = cost.sparse_server(n, K, 1, row_bytes, key_bytes).total
    assert gather == K * (K - 1) * n * (row_bytes + key_bytes)
    assert 2 * gather == (K - 1) * server


def test_the_even_form_goes_from_one_to_two():
    assert cost.all_reduce_bytes_even(100, 1) == 0
    assert cost.all_reduce_bytes_even(100, 2) == 100
    values = [cost.all_reduce_bytes_even(100, K) for K in range(1, 1025)]
    assert values == sorted(values)
    assert values[-1] < 200


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.ring_all_reduce(-1, 4), "elements=-1; a whole number of 0 or more"),
    (lambda: cost.ring_all_reduce(1.5, 4), "elements=1.5"),
    (lambda: cost.ring_all_reduce(10, 0), "K=0; a whole number of 1 or more"),
    (lambda: cost.ring_all_reduce(10, 2, itemsize=0), "itemsize=0"),
    (lambda: cost.ring_all_gather([]), r"len\(piece_bytes\)=0"),
    (lambda: cost.ring_all_gather([1, -1]), r"piece_bytes\[1\]=-1"),
    (lambda: cost.broadcast(10, 4, src=4), "src=4; ranks run from 0 to 3"),
    (lambda: cost.all_to_all([[1, 2], [3]]), r"sent_bytes\[1\] has 1 entries; one for each of the 2 ranks"),
    (lambda: cost.ring_all_reduce(10, 2).seconds(-1, 1e9), "alpha_s=-1"),
    (lambda: cost.ring_all_reduce(10, 2).seconds(0, 0), "bandwidth_Bps=0"),
    (lambda: cost.add_traffic(cost.broadcast(1, 2), cost.broadcast(1, 3)), "over 2 and over 3 ranks"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
