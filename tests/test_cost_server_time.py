"""Seconds of server steps against the simulator, to 1e-9; the least number of servers, from both sides; aggregators."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pslab import cost
from pslab.comm import Link, Racks, SimWorld
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve
from pslab.ps.hierarchy import cluster_of_racks

LINK = {"latency_s": 7e-6, "overhead_s": 2e-6, "bandwidth_Bps": 3e8}


def ports_of(run, kinds=(None,)):
    pairs = [[run.ledger.port(rank, kind) for kind in kinds] for rank in range(run.ledger.world_size)]
    return tuple(cost.Port(*map(sum, zip(*pair))) for pair in pairs)


def wait_all(works):
    for work in works:
        work.wait()


def in_turn(comm, sizes, K, compute_s):
    """Plain tensors, so that nothing but the payload travels; every sender begins with number 0."""
    if comm.rank < K:
        wait_all([comm.irecv(K + s) for s in range(len(sizes))])
        comm.compute(compute_s)
        wait_all([comm.isend(torch.zeros(size), K + s, 1) for s, size in enumerate(sizes)])
    else:
        size = sizes[comm.rank - K]
        wait_all([comm.isend(torch.zeros(size), k) for k in range(K)] + [comm.irecv(k, 1) for k in range(K)])


def in_slots(comm, sizes, K, compute_s, slot_s):
    """In slot j server s and worker (s + j) mod max(K, S) meet: no port is ever asked for twice at once."""
    slots, me, worker = max(K, len(sizes)), comm.rank % K if comm.rank < K else comm.rank - K, comm.rank < K
    for tag in (0, 1):                          # pull, push
        works, began_s = [], comm.now()
        for j in range(slots):
            comm.sleep(max(0.0, began_s + j * slot_s - comm.now()))
            other = (me - j if worker else me + j) % slots
            if other < (len(sizes) if worker else K):
                peer, size = (K + other, sizes[other]) if worker else (other, sizes[me])
                works.append(comm.irecv(peer, tag) if worker == (tag == 0) else
                             comm.isend(torch.zeros(size), peer, tag))
        wait_all(works)
        if tag == 0:
            comm.compute(compute_s)


SHAPES = [(1_000, 1, 1, 1e-5), (1_000, 3, 2, 2e-5), (999, 4, 3, 0.0), (1_001, 2, 5, 1e-4), (5_000, 8, 4, 1e-5),
          (5, 3, 7, 0.0)]


@pytest.mark.parametrize(("P", "K", "S", "compute_s"), SHAPES)
def test_in_turn_is_exact_for_every_shape_and_bytes_equal_the_ledger(P, K, S, compute_s):
    run = SimWorld(K + S, link=Link(**LINK)).run(in_turn, cost.chunk_sizes(P, S), K, compute_s)
    assert run.seconds == pytest.approx(cost.step_s(P, K, S, compute_s=compute_s, **LINK), rel=1e-9)
    traffic = cost.parameter_server(P, K, S)
    assert ports_of(run) == traffic.ports
    assert run.ledger.busiest_port()[2] == traffic.busiest


@pytest.mark.parametrize(("P", "K", "S", "compute_s"), [*SHAPES[:3], SHAPES[4], (1_000, 2, 5, 1e-4)])
def test_ports_is_exact_where_no_port_is_waited_for(P, K, S, compute_s):
    sizes = cost.chunk_sizes(P, S)
    slot_s = LINK["overhead_s"] + 4 * max(sizes) / LINK["bandwidth_Bps"]
    run = SimWorld(K + S, link=Link(**LINK)).run(in_slots, sizes, K, compute_s, slot_s)
    model_s = cost.step_s(P, K, S, compute_s=compute_s, schedule="ports", **LINK)
    assert run.seconds == pytest.approx(model_s, rel=1e-9)
    assert model_s == pytest.approx(cost.server_step_s(P, K, S, LINK["latency_s"], LINK["bandwidth_Bps"])
                                    + compute_s + 2 * max(K, S) * LINK["overhead_s"], rel=1e-2)


def overlapped(comm, sizes, K, compute_s, steps):
    """Each worker keeps the next pull and the last push beside its computation; nobody waits for other workers."""
    S = len(sizes)
    if comm.rank >= K:
        size, works = sizes[comm.rank - K], []
        for step in range(steps):
            works += [comm.isend(torch.zeros(size), k, step) for k in range(K)]
            works += [comm.irecv(k, steps + step) for k in range(K)]
        return wait_all(works)
    pull = [comm.irecv(K + s, 0) for s in range(S)]
    pushes = []
    for step in range(steps):
        wait_all(pull)
        if step + 1 < steps:
            pull = [comm.irecv(K + s, step + 1) for s in range(S)]
        comm.compute(compute_s)
        wait_all(pushes)
        pushes = [comm.isend(torch.zeros(size), K + s, steps + step) for s, size in enumerate(sizes)]
    wait_all(pushes)


@pytest.mark.parametrize(("K", "S", "compute_s"), [(1, 1, 1e-4), (3, 1, 1e-6), (4, 2, 5e-5), (3, 1, 2e-4)])
def test_overlapped_steps_cost_the_longer_of_computing_and_the_busiest_port(K, S, compute_s):
    link = {**LINK, "latency_s": 0.0}
    sizes = cost.chunk_sizes(2_400, S)
    world = SimWorld(K + S, link=Link(**link))
    runs = [world.run(overlapped, sizes, K, compute_s, steps).seconds for steps in (40, 60)]
    model_s = cost.step_s(2_400, K, S, compute_s=compute_s, schedule="overlap", **link)
    assert (runs[1] - runs[0]) / 20 == pytest.approx(model_s, rel=1e-9)


def dense_steps(comm, K, P, compute_s, steps):
    tables = [TableConfig("w", 1, P, rule=SGD(1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        for _ in range(steps):
            rows = kv.wait(kv.pull(range(P), "w"))
            comm.compute(compute_s)
            kv.push(range(P), rows, "w")
            kv.clock()


@pytest.mark.parametrize(("K", "S"), [(1, 1), (3, 1), (2, 2), (3, 4)])
def test_a_step_of_kv_worker_is_in_turn_and_four_latencies_more(K, S):
    link, P, compute_s = {"latency_s": 1e-5, "bandwidth_Bps": 1e9}, 120_000, 3e-4
    one, three = (SimWorld(K + S, link=Link(**link)).run(dense_steps, K, P, compute_s, steps) for steps in (1, 3))
    model_s = cost.step_s(P, K, S, compute_s=compute_s, **link) + 4 * link["latency_s"]
    headers_s = (three.ledger.total("header") - one.ledger.total("header")) / 2 / link["bandwidth_Bps"]
    assert 0 <= (three.seconds - one.seconds) / 2 - model_s <= headers_s + 1e-12       # each header byte delays once
    assert headers_s < 2e-3 * model_s


def test_by_hand():
    # 8 workers, 1 server, 4 MB at 1 GB/s: 4 ms a message
    kw = {"bandwidth_Bps": 1e9, "compute_s": 1e-3}
    assert cost.step_s(1_000_000, 8, 1, schedule="ports", **kw) == pytest.approx(65e-3)     # 8 + 8 messages
    assert cost.step_s(1_000_000, 8, 1, schedule="in_turn", **kw) == pytest.approx(37e-3)   # 8, and the last one's push
    assert cost.step_s(1_000_000, 8, 1, schedule="overlap", **kw) == pytest.approx(32e-3)
    assert cost.one_way_s(1_000_000, 8, 2, bandwidth_Bps=1e9, latency_s=1e-3) == pytest.approx(19e-3)
    assert cost.one_way_s(1_000_000, 8, 2, bandwidth_Bps=1e9, schedule="ports") == pytest.approx(16e-3)


# ---- how many servers -----------------------------------------------------------------------------------------------

@given(st.integers(1, 12), st.integers(1, 400), st.sampled_from([0.0, 1e-7, 2e-6]), st.sampled_from([0.0, 1e-5, 1e-3]),
       st.sampled_from(["ports", "in_turn", "overlap"]), st.sampled_from([0.0, 0.05, 0.3]))
def test_the_least_number_is_the_least(K, P, overhead_s, compute_s, schedule, within):
    kw = {"overhead_s": overhead_s, "bandwidth_Bps": 1e8, "compute_s": compute_s, "schedule": schedule}
    times = {S: cost.step_s(P, K, S, **kw) for S in range(1, P + 1)}
    answer = cost.least_servers(P, K, within=within, **kw)
    assert answer.floor_s == pytest.approx(min(times.values()), rel=1e-9)
    assert answer.step_s == times[answer.servers] <= (1 + within) * answer.floor_s
    assert all(times[S] > (1 + within) * answer.floor_s for S in range(1, answer.servers))


def test_least_servers_either_side_in_the_simulator():
    P, K, kw = 4_000, 6, {"bandwidth_Bps": 3e8, "compute_s": 1e-4}
    answer = cost.least_servers(P, K, **kw, schedule="in_turn")
    def seconds(S):
        return SimWorld(K + S, link=Link(latency_s=0, bandwidth_Bps=3e8)).run(
            in_turn, cost.chunk_sizes(P, S), K, 1e-4).seconds
    assert 1 < answer.servers < P
    assert seconds(answer.servers) <= 1.05 * answer.floor_s < seconds(answer.servers - 1)


def test_more_computing_needs_fewer_servers_and_no_network_removes_the_workers_own_port():
    need = [cost.least_servers(10_000_000, 64, bandwidth_Bps=1e9, compute_s=c).servers for c in (0.0, 0.5, 5.0)]
    assert need == sorted(need, reverse=True)
    assert len(set(need)) == 3
    assert need[0] == 61                                    # 64/S <= 1.05
    fast = [cost.least_servers(10_000_000, 64, bandwidth_Bps=B).servers for B in (1e9, 1e12)]
    assert fast[0] == fast[1]


# ---- aggregators ----------------------------------------------------------------------------------------------------

def rack_program(comm, sizes, G, g, compute_s):
    """Servers, then racks: an aggregator and its workers. Plain tensors again."""
    S, total = len(sizes), sum(sizes)
    aggregators = [S + rack * (g + 1) for rack in range(G)]
    if comm.rank < S:
        wait_all([comm.isend(torch.zeros(sizes[comm.rank]), a) for a in aggregators]
                 + [comm.irecv(a, 1) for a in aggregators])
    elif comm.rank in aggregators:
        wait_all([comm.irecv(s) for s in range(S)])
        workers = range(comm.rank + 1, comm.rank + 1 + g)
        wait_all([comm.isend(torch.zeros(total), w) for w in workers] + [comm.irecv(w, 1) for w in workers])
        wait_all([comm.isend(torch.zeros(size), s, 1) for s, size in enumerate(sizes)])
    else:
        aggregator = max(a for a in aggregators if a < comm.rank)
        comm.recv(aggregator)
        comm.compute(compute_s)
        comm.send(torch.zeros(total), aggregator, 1)


@pytest.mark.parametrize(("P", "G", "g", "S"), [(1_000, 1, 1, 1), (1_000, 2, 3, 1), (900, 3, 2, 2)])
def test_hierarchical_seconds_ports_and_uplinks(P, G, g, S):
    racks = [[s] for s in range(S)] + [list(range(S + r * (g + 1), S + (r + 1) * (g + 1))) for r in range(G)]
    fast = Racks(racks, uplink=Link(latency_s=0, bandwidth_Bps=1e12))
    run = SimWorld(S + G * (g + 1), link=Link(**LINK), racks=fast).run(rack_program, cost.chunk_sizes(P, S), G, g, 2e-5)
    model_s = cost.hierarchical_step_s(P, G, g, S, compute_s=2e-5, **LINK)
    assert run.seconds == pytest.approx(model_s, rel=1e-9)
    check_hierarchy(run, cost.hierarchical_servers(P, G, g, S), G, g, S)


def check_hierarchy(run, traffic, G, g, S, kinds=(None,)):
    ports = ports_of(run, kinds)
    assert ports[:S] == traffic.servers
    for rack in range(G):
        first = S + rack * (g + 1)
        assert ports[first] == traffic.aggregators[rack]
        assert ports[first + 1:first + 1 + g] == traffic.workers[rack * g:(rack + 1) * g]
        uplink = run.ledger.uplink(S + rack, kinds[0])
        assert uplink == traffic.uplinks[rack]
        assert traffic.flat_uplinks[rack] == tuple(g * n for n in uplink)


def rack_step(comm, kv, P):
    rows = kv.wait(kv.pull(range(P), "w"))
    kv.push(range(P), rows, "w")
    kv.clock()


def test_the_library_moves_the_bytes_of_the_closed_form():
    P, G, g, S = 101, 2, 2, 2
    tables, racks = [TableConfig("w", 1, P)], [[2, 3, 4], [5, 6, 7]]
    run = SimWorld(8, racks=Racks([[0], [1], *racks])).run(
        lambda comm: cluster_of_racks(comm, rack_step, tables, racks, [0, 1], args=(P,)))
    check_hierarchy(run, cost.hierarchical_servers(P, G, g, S), G, g, S, ("vals",))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.step_s(10, 0, 1, bandwidth_Bps=1), "K=0"),
    (lambda: cost.step_s(10, 1, 0, bandwidth_Bps=1), "S=0"),
    (lambda: cost.step_s(10, 1, 1, bandwidth_Bps=0), "bandwidth_Bps=0; must be above 0"),
    (lambda: cost.step_s(10, 1, 1, bandwidth_Bps=1, overhead_s=-1), "overhead_s=-1"),
    (lambda: cost.step_s(10, 1, 1, bandwidth_Bps=1, compute_s=-1), "compute_s=-1"),
    (lambda: cost.step_s(10, 1, 1, bandwidth_Bps=1, schedule="ring"), "'ports', 'in_turn', 'overlap'"),
    (lambda: cost.one_way_s(10, 1, 1, bandwidth_Bps=1, schedule="overlap"), "schedule='overlap'"),
    (lambda: cost.least_servers(0, 1, bandwidth_Bps=1), "elements=0"),
    (lambda: cost.least_servers(5, 1, bandwidth_Bps=1, within=-0.1), "within=-0.1"),
    (lambda: cost.hierarchical_servers(5, 0, 1), "G=0"),
    (lambda: cost.hierarchical_step_s(5, 1, 0, bandwidth_Bps=1), "g=0"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
