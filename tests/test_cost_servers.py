"""Server traffic against a ledger kept by hand, one message at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pslab import cost
from pslab.cost import Port


def count_dense(elements, K, S, itemsize, colocated=False):
    """Ports of a pull and a push by every worker; rank of server s is K + s, or s where it shares a machine."""
    sizes, ports = cost.chunk_sizes(elements, S), {}
    for worker in range(K):
        for s, size in enumerate(sizes):
            server = s if colocated else K + s
            for src, dst in ((server, worker), (worker, server)):
                if src != dst:
                    ports.setdefault(src, [0, 0])[0] += size * itemsize
                    ports.setdefault(dst, [0, 0])[1] += size * itemsize
    return tuple(Port(*ports.get(rank, (0, 0))) for rank in range(K if colocated else K + S))


@given(st.integers(0, 3_000), st.integers(1, 12), st.integers(1, 12), st.sampled_from([2, 4, 8]))
def test_dense_server_ports(elements, K, S, itemsize):
    traffic = cost.parameter_server(elements, K, S, itemsize)
    assert traffic.ports == count_dense(elements, K, S, itemsize)
    assert traffic.total == 2 * K * elements * itemsize
    assert traffic.busiest == max(port.busiest for port in traffic.ports)


@given(st.integers(0, 3_000), st.integers(1, 10), st.data())
def test_colocated_server_ports(elements, K, data):
    S = data.draw(st.integers(1, K))
    assert cost.colocated_servers(elements, K, S).ports == count_dense(elements, K, S, 4, colocated=True)


@pytest.mark.parametrize("K", [1, 2, 3, 8, 64])
def test_colocated_servers_equal_the_ring(K):
    # BytePS's observation: with a server beside every worker the two architectures move the same bytes per port
    assert cost.colocated_servers(K * 7, K).ports == cost.ring_all_reduce(K * 7, K).ports


def test_servers_on_their_own_machines_can_beat_the_ring():
    K = 8
    assert cost.parameter_server(8_000, K, S=K).busiest < cost.ring_all_reduce(8_000, K).busiest
    assert cost.parameter_server(8_000, 2, S=2).busiest == cost.ring_all_reduce(8_000, 2).busiest


@given(st.integers(0, 500), st.integers(1, 9), st.integers(1, 9), st.integers(0, 600), st.sampled_from([0, 4, 8]))
def test_sparse_server_ports(n, K, S, row_bytes, key_bytes):
    traffic = cost.sparse_server(n, K, S, row_bytes, key_bytes)
    assert traffic.workers == (Port(n * (row_bytes + 2 * key_bytes), n * row_bytes),) * K
    into_servers = sum(port.in_bytes for port in traffic.servers)
    assert 0 <= into_servers - K * n * (row_bytes + 2 * key_bytes) < K * S * (row_bytes + 2 * key_bytes + 1)
    if n % S == 0:
        assert traffic.total == 2 * K * n * (row_bytes + key_bytes)
        assert into_servers == sum(port.out_bytes for port in traffic.workers)


def test_server_time_with_and_without_overlap():
    time = {"elements": 1_000, "K": 8, "S": 2, "alpha_s": 1e-3, "bandwidth_Bps": 1e6}
    one_way = 1e-3 + 4 * 4_000 / 1e6
    assert cost.server_step_s(**time) == pytest.approx(2 * one_way, rel=1e-12)
    assert cost.server_step_s(**time, overlap=1.0) == pytest.approx(one_way, rel=1e-12)
    assert cost.server_step_s(**time, overlap=0.25) == pytest.approx(1.75 * one_way, rel=1e-12)
    # more servers than workers: the worker's own port is the busiest, more servers do not help
    assert cost.server_step_s(1_024, 8, 16, 0, 1e6) == cost.server_step_s(1_024, 8, 8, 0, 1e6)


def test_a_step_without_overlap_makes_the_printed_ratio_a_ratio_of_times():
    ring_s = cost.ring_all_reduce(50_000_000, 8).seconds(0, 12.5e9)
    assert cost.server_step_s(50_000_000, 8, 1, 0, 12.5e9) / ring_s == pytest.approx(64 / 7, rel=1e-12)
    assert cost.server_step_s(50_000_000, 8, 1, 0, 12.5e9, overlap=1) / ring_s == pytest.approx(32 / 7, rel=1e-12)


STEP = {"K": 3, "S": 2, "dense_bytes": 4_000, "table_rows": 1_000, "row_bytes": 64, "rows_per_worker": 50}


def test_strategies_by_hand():
    allreduce = cost.strategy_port_bytes("allreduce", **STEP)
    # 1,000 dense numbers in chunks 334 333 333: the busiest port misses two of the smaller ones
    assert allreduce.worker.dense == Port(4 * (2_000 - 666), 4 * (2_000 - 667 + 1))
    assert allreduce.worker.sparse.busiest == cost.ring_all_reduce(16_000, 3).busiest
    assert allreduce.server.total == Port(0, 0)

    server = cost.strategy_port_bytes("server", **STEP)
    assert server.worker.dense == Port(4_000, 4_000)
    assert server.server.dense == Port(6_000, 6_000)
    assert server.worker.sparse == Port(50 * 80, 50 * 64)
    assert server.server.sparse == Port(3 * 25 * 64, 3 * 25 * 80)
    assert server.busiest == 6_000 + 6_000

    hybrid = cost.strategy_port_bytes("hybrid", **STEP)
    assert hybrid.worker.dense == allreduce.worker.dense
    assert hybrid.worker.sparse == server.worker.sparse
    assert hybrid.server.dense == Port(0, 0)
    assert hybrid.server.sparse == server.server.sparse
    assert hybrid.busiest == 5_336 + 4_000
    assert hybrid.busiest_port is hybrid.worker


def test_ring_ports_in_strategies_are_the_busiest_in_each_direction():
    ports = cost.ring_all_reduce(1_000, 3).ports
    dense = cost.strategy_port_bytes("hybrid", **STEP).worker.dense
    assert dense == Port(max(p.out_bytes for p in ports), max(p.in_bytes for p in ports))


@pytest.mark.parametrize("change", [{"K": 6}, {"S": 1}, {"dense_bytes": 8_000}, {"row_bytes": 128},
                                    {"rows_per_worker": 70}, {"key_bytes": 4}])
def test_each_knob_of_the_server_strategy_matters(change):
    before, after = (cost.strategy_port_bytes("server", **{**STEP, **c}).busiest for c in ({}, change))
    assert before != after


def test_table_rows_matter_to_all_reduce_only():
    for strategy in cost.STRATEGIES:
        small, large = (cost.strategy_port_bytes(strategy, **{**STEP, "table_rows": R}) for R in (1_000, 10_000))
        assert (large.busiest > 5 * small.busiest) == (strategy == "allreduce")


def test_at_two_and_two_ring_and_servers_carry_equal_dense_bytes():
    step = {**STEP, "K": 2, "S": 2}
    hybrid, server = (cost.strategy_port_bytes(s, **step) for s in ("hybrid", "server"))
    assert hybrid.worker.dense == server.worker.dense == server.server.dense == Port(4_000, 4_000)


@pytest.mark.parametrize(("K", "D", "key_bytes", "S", "view", "expected"), [
    (8, 128, 0, 1, "totals", 0.875), (8, 1, 0, 1, "totals", 0.875), (8, 128, 8, 1, "totals", 0.875 * 512 / 520),
    (8, 16, 8, 1, "totals", 0.875 * 64 / 72), (8, 1, 8, 1, "totals", 0.875 * 4 / 12),
    (8, 128, 0, 1, "busiest", 7 / 64), (8, 128, 0, 4, "busiest", 28 / 64), (8, 128, 0, 16, "busiest", 7 / 8),
    (8, 128, 0, 1, "direction", 14 / 64), (8, 128, 8, 2, "direction", 28 / 64 * 512 / 528), (1, 4, 0, 1, "totals", 0.0),
])
def test_crossover_closed_form(K, D, key_bytes, S, view, expected):
    assert cost.crossover_fraction(K, D, key_bytes, S, view) == pytest.approx(expected, rel=1e-12)


@given(st.integers(2, 64), st.integers(1, 64), st.sampled_from([0, 4, 8]), st.integers(1, 64))
def test_at_the_crossover_both_sides_move_equally_many_bytes(K, D, key_bytes, S):
    V = 1_000_000
    row_bytes = 4 * D
    table = 2 * (K - 1) * V * row_bytes
    n = V * cost.crossover_fraction(K, D, key_bytes, S)
    assert 2 * K * n * (row_bytes + key_bytes) == pytest.approx(table, rel=1e-12)
    n = V * cost.crossover_fraction(K, D, key_bytes, S, "busiest")
    assert max(K / S, 1) * 2 * n * (row_bytes + key_bytes) == pytest.approx(table / K, rel=1e-12)
    n = V * cost.crossover_fraction(K, D, key_bytes, S, "direction")
    assert max(K / S, 1) * n * (row_bytes + 2 * key_bytes) == pytest.approx(table / K, rel=1e-12)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.parameter_server(10, 2, 0), "S=0; a whole number of 1 or more"),
    (lambda: cost.colocated_servers(10, 2, 3), "S=3; servers that share machines with K=2 workers can be at most 2"),
    (lambda: cost.server_step_s(10, 2, 1, 0, 1, overlap=1.5), "overlap=1.5; a share from 0"),
    (lambda: cost.sparse_server(-1, 2, 1, 4), "rows_per_worker=-1"),
    (lambda: cost.strategy_port_bytes("ring", **STEP), "strategy='ring'; allowed: allreduce, server, hybrid"),
    (lambda: cost.strategy_port_bytes("hybrid", **{**STEP, "rows_per_worker": 1_001}), "at most table_rows=1000"),
    (lambda: cost.strategy_port_bytes("hybrid", **{**STEP, "dense_bytes": 4_001}), "a multiple of itemsize=4"),
    (lambda: cost.strategy_port_bytes("server", **{**STEP, "S": 0}), "S=0"),
    (lambda: cost.crossover_fraction(8, 0), "D=0"),
    (lambda: cost.crossover_fraction(8, 1, view="links"), "view='links'; allowed: totals, busiest, direction"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
