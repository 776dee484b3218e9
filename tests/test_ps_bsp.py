"""Workers and servers together in the simulator: BSP is the sequential program, whoever is fast and whoever is slow."""

import numpy as np
import pytest
import torch
from ps_jobs import check_stats, final_rows, job

from pslab.comm import Link, SimWorld
from pslab.ps import SGD, AdaGrad, Integers, TableConfig

ROUNDS = 5
SPARSE = TableConfig("sparse", 3, 11, rule=SGD(1.0), init=Integers(-9, 10, seed=4))
DENSE = TableConfig("dense", 2, 7, rule=SGD(0.5), init=Integers(-9, 10, seed=4))
ROOTED = TableConfig("rooted", 2, 5, rule=AdaGrad(0.5), init=Integers(-9, 10, seed=5))
TABLES = [SPARSE, DENSE, ROOTED]
GRID = [(workers, servers) for workers in (1, 2, 3, 4) for servers in (1, 2, 3)]


def batch(worker, step):
    """Keys (unsorted, repeated, sometimes none) and whole-number gradients that differ by worker, step and place."""
    rng = np.random.default_rng([worker, step])
    keys = rng.integers(0, SPARSE.num_rows, rng.integers(0, 9))
    return torch.from_numpy(keys), torch.from_numpy(rng.integers(-8, 9, (len(keys), 3)).astype(np.float32))


def dense_batch(worker, step):
    return torch.from_numpy(np.random.default_rng([worker, step, 1]).integers(-8, 9, (7, 2)).astype(np.float32))


def train(comm, kv, seed):
    """ROUNDS rounds with delays drawn at random; gives what every pull saw."""
    rng, seen = np.random.default_rng([seed, comm.rank]), []
    for step in range(ROUNDS):
        comm.compute(float(rng.exponential(20e-6)))
        keys, grads = batch(comm.rank, step)
        asked = [kv.pull(keys, "sparse"), kv.pull(range(7), "dense"), kv.pull(slice(1, 4), "rooted"),
                 kv.pull(range(11), "sparse")]
        comm.compute(float(rng.exponential(20e-6)))
        seen.append([kv.wait(timestamp).clone() for timestamp in reversed(asked)][::-1])
        half = len(keys) // 2
        kv.push(keys[:half], grads[:half], "sparse")
        comm.compute(float(rng.exponential(20e-6)))
        kv.push(slice(None), dense_batch(comm.rank, step), "dense")
        kv.push(keys[half:], grads[half:], "sparse")
        kv.push(range(1, 4), dense_batch(comm.rank, step)[:3], "rooted")
        assert kv.clock() == step + 1
    return seen


def sequential(num_workers):
    """One process, torch.optim, the sum of all workers' gradients in every round: the tables before each round."""
    parameters = {table.name: torch.nn.Parameter(torch.from_numpy(table.initial_rows())) for table in TABLES}
    optimizers = [torch.optim.SGD([parameters["sparse"]], lr=1.0), torch.optim.SGD([parameters["dense"]], lr=0.5),
                  torch.optim.Adagrad([parameters["rooted"]], lr=0.5)]
    history = []
    for step in range(ROUNDS + 1):
        history.append({name: parameter.detach().clone() for name, parameter in parameters.items()})
        for parameter in parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        for worker in range(num_workers):
            parameters["sparse"].grad.index_add_(0, *batch(worker, step))
            parameters["dense"].grad += dense_batch(worker, step)
            parameters["rooted"].grad[1:4] += dense_batch(worker, step)[:3]
        for optimizer in optimizers:
            optimizer.step()
    return history


@pytest.mark.parametrize(("workers", "servers"), GRID)
def test_bsp_is_the_sequential_program_bit_for_bit(workers, servers):
    history = sequential(workers)
    for seed in range(3):
        run = SimWorld(workers + servers, seed=seed).run(job, workers, TABLES, train, seed)
        for worker in range(workers):
            for step, (sparse, dense, rooted, whole) in enumerate(run.results[worker]["result"]):
                where = f"seed {seed}, worker {worker}, round {step}"
                assert torch.equal(sparse, history[step]["sparse"][batch(worker, step)[0]]), where
                assert torch.equal(whole, history[step]["sparse"]), where
                assert torch.equal(dense, history[step]["dense"]), where
                torch.testing.assert_close(rooted, history[step]["rooted"][1:4], atol=1e-6, rtol=0)
        assert np.array_equal(final_rows(run, workers, "sparse"), history[ROUNDS]["sparse"])
        assert np.array_equal(final_rows(run, workers, "dense"), history[ROUNDS]["dense"])
        np.testing.assert_allclose(final_rows(run, workers, "rooted"), history[ROUNDS]["rooted"], atol=1e-6)
        assert np.array_equal(final_rows(run, workers, "rooted")[[0, 4]], ROOTED.initial_rows([0, 4]))
        check_stats(run, workers)


@pytest.mark.parametrize("slow", [(0, 2), (0, 3), (1, 2), (1, 3), (2, 0), (3, 1)])
def test_one_slow_link_leaks_nothing(slow):
    """A worker's letters to one server, or its reports, arrive a millisecond late: the others are ahead there."""
    history = sequential(2)
    run = SimWorld(4, links={slow: Link(latency_s=1e-3)}).run(job, 2, TABLES, train, 0)
    for worker in range(2):
        for step, (_, dense, _, whole) in enumerate(run.results[worker]["result"]):
            assert torch.equal(whole, history[step]["sparse"]), f"link {slow}, worker {worker}, round {step}"
            assert torch.equal(dense, history[step]["dense"])
    assert np.array_equal(final_rows(run, 2, "sparse"), history[ROUNDS]["sparse"])


def test_the_closed_form_of_a_sum():
    """Worker w pushes (w + 1) on every row in each of ROUNDS rounds: rows fall by ROUNDS · K(K + 1)/2 · lr."""
    def work(comm, kv):
        for _ in range(ROUNDS):
            kv.push(range(11), torch.full((11, 3), comm.rank + 1.0), "sparse")
            kv.clock()
    for workers, servers in GRID:
        run = SimWorld(workers + servers).run(job, workers, [SPARSE], work)
        fall = SPARSE.initial_rows() - final_rows(run, workers, "sparse")
        assert (fall == ROUNDS * workers * (workers + 1) / 2).all()


def test_same_seed_same_trace():
    traces = [SimWorld(5, seed=1).run(job, 3, TABLES, train, 7).trace.to_bytes() for _ in range(2)]
    assert traces[0] == traces[1]


def test_clock_waits_for_the_slowest_and_only_at_the_end_of_a_round():
    def work(comm, kv):
        before = comm.now()
        kv.push([0], torch.ones(1, 3), "sparse")
        kv.wait(kv.pull([0], "sparse"))
        pushed = comm.now()
        comm.compute(0.1 if comm.rank == 1 else 0.0)
        kv.clock()
        return pushed - before, comm.now()
    run = SimWorld(4).run(job, 3, [SPARSE], work)
    for worker in range(3):
        waited, clocked = run.results[worker]["result"]
        assert waited < 1e-3
        assert 0.1 < clocked < 0.101


def test_a_clock_costs_one_letter_to_every_server_and_one_report():
    def work(comm, kv):
        for _ in range(10):
            kv.clock()
    run = SimWorld(5).run(job, 2, [SPARSE], work)
    for worker in range(2):
        assert [run.ledger.messages(worker, server) for server in (2, 3, 4)] == [11] * 3        # and a goodbye
        assert [run.ledger.messages(server, worker) - 1 for server in (2, 3, 4)] == [10 * (server - 2 == worker)
                                                                                     for server in (2, 3, 4)]


def test_workers_may_leave_early_with_pushes_of_their_last_round():
    def work(comm, kv):
        for _ in range(1 + 2 * comm.rank):
            kv.push([2], torch.ones(1, 3), "sparse")
            kv.clock()
        kv.push([2], torch.full((1, 3), 100.0), "sparse")
        return kv.current_clock
    run = SimWorld(5).run(job, 3, [SPARSE], work)
    assert [run.results[worker]["result"] for worker in range(3)] == [1, 3, 5]
    expected = SPARSE.initial_rows()
    expected[2] -= 1 + 3 + 5 + 300
    assert np.array_equal(final_rows(run, 3, "sparse"), expected)
    stats = [run.results[server]["stats"]["tables"]["sparse"] for server in (3, 4)]
    assert [(counts["pushes"], counts["steps"]) for counts in stats] == [(12, 6), (0, 0)]


def test_a_pull_asked_before_clock_still_sees_its_own_round():
    """Prefetch across a clock: the answer is that of the clock at which it was asked."""
    def work(comm, kv):
        early = kv.pull([2], "sparse")
        kv.push([2], torch.ones(1, 3), "sparse")
        kv.clock()
        late = kv.pull([2], "sparse")
        kv.push([2], torch.ones(1, 3), "sparse")
        kv.clock()
        return kv.wait(late) - kv.wait(early)
    run = SimWorld(4, links={(0, 2): Link(latency_s=1e-3)}).run(job, 2, [SPARSE], work)
    assert all((run.results[worker]["result"] == -2).all() for worker in range(2))


def test_k_workers_wait_for_one_servers_port():
    """K pulls of n bytes leave one port one after the other: K·n/bandwidth, plus request and answer latencies."""
    table, link = TableConfig("big", 64, 1000), Link(latency_s=10e-6, bandwidth_Bps=1e9)

    def work(comm, kv):
        start = comm.now()
        kv.wait(kv.pull(range(1000), "big"))
        return comm.now() - start
    nbytes = 1000 * 64 * 4
    for workers in (1, 2, 4):
        run = SimWorld(workers + 1, link=link).run(job, workers, [table], work)
        slowest = max(run.results[worker]["result"] for worker in range(workers))
        floor = workers * nbytes / 1e9 + 2 * 10e-6
        assert floor <= slowest < floor + 2e-6          # headers: some 20 bytes a letter
        if workers == 4:                                # two servers, two ports: nearly half of that
            halved = SimWorld(workers + 2, link=link).run(job, workers, [table], work)
            slowest = max(halved.results[worker]["result"] for worker in range(workers))
            assert floor / 2 < slowest < 0.7 * floor
