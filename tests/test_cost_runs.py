"""The closed forms against what runs: bytes by the ledgers of both worlds, seconds by the simulator's clock."""

import numpy as np
import pytest
import torch

from pslab import collectives, cost
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

LINK = Link(latency_s=7e-6, overhead_s=2e-6, bandwidth_Bps=3e9)
ALPHA_S = LINK.latency_s + LINK.overhead_s


@pytest.fixture(scope="module")
def processes():
    worlds = {}
    yield lambda K: worlds.setdefault(K, ProcessWorld(K))
    for world in worlds.values():
        world.close()


def ledger_ports(run):
    return tuple(cost.Port(*run.ledger.port(rank)) for rank in range(run.ledger.world_size))


def data(rank, K, length, dtype=torch.float32):
    return (torch.arange(length) * K + rank).to(dtype)


def all_reduce(comm, length, dtype):
    collectives.all_reduce(comm, data(comm.rank, comm.world_size, length, dtype))


def reduce_scatter(comm, length, dtype):
    collectives.reduce_scatter(comm, data(comm.rank, comm.world_size, length, dtype))


def all_gather(comm, lengths):
    collectives.all_gather(comm, data(comm.rank, comm.world_size, lengths[comm.rank]))


def broadcast(comm, length, src):
    collectives.broadcast(comm, data(comm.rank, comm.world_size, length), src=src)


def all_to_all(comm, lengths):
    collectives.all_to_all(comm, [data(comm.rank, comm.world_size, n) for n in lengths[comm.rank]])


@pytest.mark.parametrize("K", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("length", [0, 2, 12, 1_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int16], ids=str)
def test_ring_bytes_and_virtual_time(K, length, dtype):
    itemsize = torch.empty(0, dtype=dtype).itemsize
    for program, form in ((all_reduce, cost.ring_all_reduce), (reduce_scatter, cost.ring_reduce_scatter)):
        run, traffic = SimWorld(K, link=LINK).run(program, length, dtype), form(length, K, itemsize)
        assert ledger_ports(run) == traffic.ports
        assert run.seconds == pytest.approx(traffic.seconds(ALPHA_S, LINK.bandwidth_Bps), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("lengths", [[5], [3, 3], [0, 9, 4], [1, 2, 3, 40]])
def test_ragged_all_gather(lengths):
    run = SimWorld(len(lengths), link=LINK).run(all_gather, lengths)
    assert ledger_ports(run) == cost.ring_all_gather([4 * n for n in lengths]).ports


@pytest.mark.parametrize("K", [1, 2, 3, 5, 6, 8])
def test_broadcast(K):
    for src in {0, K - 1}:
        run, traffic = SimWorld(K, link=LINK).run(broadcast, 500, src), cost.broadcast(2_000, K, src)
        assert ledger_ports(run) == traffic.ports
        seconds = traffic.seconds(ALPHA_S, LINK.bandwidth_Bps)
        if K in (1, 2, 8):     # powers of two: the last leaf is ⌈log2 K⌉ hops away
            assert run.seconds == pytest.approx(seconds, rel=1e-9, abs=1e-15)
        else:                  # fewer hops, and the root's next message does not wait for the latency of the last
            assert seconds / 2 < run.seconds < seconds


@pytest.mark.parametrize("lengths", [[[9]], [[1, 2], [3, 4]], [[0, 5, 6], [1, 0, 2], [7, 7, 7]]])
def test_all_to_all_bytes(lengths):
    run = SimWorld(len(lengths), link=LINK).run(all_to_all, lengths)
    assert ledger_ports(run) == cost.all_to_all([[4 * n for n in row] for row in lengths]).ports


def test_all_to_all_even_time():
    K, traffic = 4, cost.all_to_all([[400] * 4] * 4)
    run = SimWorld(K, link=LINK).run(all_to_all, [[100] * K] * K)
    assert run.seconds == pytest.approx(traffic.seconds(ALPHA_S, LINK.bandwidth_Bps), rel=1e-9)


def dense_step(comm, K, length):
    tables = [TableConfig("dense", 1, length, rule=SGD(1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        everything = range(length)
        weights = kv.wait(kv.pull(everything, table="dense"))
        kv.push(everything, weights + comm.rank, table="dense")
        kv.clock()


def sparse_step(comm, K, rows, dim, per_worker):
    tables = [TableConfig("rows", dim, rows, rule=SGD(1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        keys = np.arange(comm.rank % 3, rows, rows // per_worker)[:per_worker]
        values = kv.wait(kv.pull(keys, table="rows"))
        kv.push(keys, values + 1, table="rows")
        kv.clock()


def payload_ports(run):
    """Keys and values of every port; headers apart."""
    kinds = [[run.ledger.port(rank, kind) for kind in ("vals", "keys")] for rank in range(run.ledger.world_size)]
    return tuple(cost.Port(*vals).plus(keys) for vals, keys in kinds)


@pytest.mark.parametrize(("K", "S"), [(1, 1), (2, 1), (3, 2), (5, 4)])
def test_dense_server_step(K, S):
    run = SimWorld(K + S).run(dense_step, K, 101)
    assert payload_ports(run) == cost.parameter_server(101, K, S).ports


@pytest.mark.parametrize(("K", "S"), [(1, 1), (2, 2), (3, 1), (3, 4)])
def test_sparse_server_step(K, S):
    # 12 rows a worker, 10 apart, over S equal ranges of 120 rows: balanced, as the closed form assumes
    run = SimWorld(K + S).run(sparse_step, K, 120, 16, 12)
    assert payload_ports(run) == cost.sparse_server(12, K, S, row_bytes=64, key_bytes=8).ports


def test_processes_count_the_same_bytes(processes):
    assert ledger_ports(processes(3).run(all_reduce, 1_000, torch.float32)) == cost.ring_all_reduce(1_000, 3).ports
    assert payload_ports(processes(3).run(dense_step, 2, 101)) == cost.parameter_server(101, 2, 1).ports
    assert payload_ports(processes(4).run(sparse_step, 2, 120, 16, 12)) == cost.sparse_server(12, 2, 2, 64).ports
