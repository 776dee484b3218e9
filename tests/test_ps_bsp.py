"""Workers and servers together in the simulator: BSP is the sequential program, whoever is fast and whoever is slow."""

import numpy as np
import pytest
import torch
from ps_jobs import ROUNDS, SPARSE, TABLES, check_run, final_rows, job, sequential, train

from pslab.comm import Link, SimWorld
from pslab.ps import KVServer, KVWorker, Rule, TableConfig, serve

GRID = [(workers, servers) for workers in (1, 2, 3, 4) for servers in (1, 2, 3)]


@pytest.mark.parametrize(("workers", "servers"), GRID)
def test_bsp_is_the_sequential_program_bit_for_bit(workers, servers):
    history = sequential(workers)
    for seed in range(3):
        run = SimWorld(workers + servers, seed=seed).run(job, workers, TABLES, train, seed)
        check_run(run, workers, history, f"seed {seed}")


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


def test_clock_waits_for_the_acknowledgements_of_its_own_pushes():
    """Server 1 answers late, server 0 reports the clocks at once: clock() must not return before both."""
    def work(comm, kv):
        kv.push([10], torch.ones(1, 3), "sparse")                    # a row of server 1
        kv.clock()
        return comm.now()
    run = SimWorld(3, links={(2, 0): Link(latency_s=1e-3)}).run(job, 1, [SPARSE], work)
    assert run.results[0]["result"] > 1e-3


def test_goodbye_comes_after_all_answers_and_is_answered_itself():
    """The pull is ahead at server 1, which hears of worker 1's clock a millisecond late."""
    def work(comm, kv):
        kv.clock()
        kv.pull([10], "sparse")
    run = SimWorld(4, links={(1, 3): Link(latency_s=1e-3)}).run(job, 2, [SPARSE], work)
    for worker in (0, 1):
        rows = [event.received_s for event in run.trace.events if (event.dst, event.tag) == (worker, "rows")]
        byes = [event.posted_s for event in run.trace.events if (event.src, event.tag) == (worker, "bye")]
        answers = [event.src for event in run.trace.events if (event.dst, event.tag) == (worker, "bye")]
        assert len(rows) == 1
        assert rows[0] > 1e-3
        assert len(byes) == 2
        assert min(byes) >= rows[0]
        assert sorted(answers) == [2, 3]


def test_a_worker_that_starts_again_is_not_taken_for_its_former_life():
    def program(comm):
        if comm.rank:
            server = KVServer([SPARSE], 0, 1, [0])
            return serve(comm, server)["repeats"], server.rows("sparse")[3] - SPARSE.initial_rows()[3]
        for incarnation in range(3):                                 # the first two lives end without a goodbye
            kv = KVWorker(comm, [1], [SPARSE], incarnation=incarnation)
            kv.wait(kv.push([3], torch.full((1, 3), 10.0**incarnation), "sparse"))
        kv.goodbye()
    repeats, fallen = SimWorld(2).run(program).results[1]
    assert repeats == 0
    assert fallen.tolist() == [-111, -111, -111]


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


class Dated(Rule):
    """Writes the number of its step into the rows it is given."""

    def step(self, rows, grads, state, t):
        rows[:] = t


def test_a_rule_is_told_its_round_counted_from_one():
    """The round, not the number of pushes: the same on every server, whatever rows were pushed before."""
    table = TableConfig("dated", 1, 4, rule=Dated())

    def work(comm, kv):
        for keys in ([0, 3], [0], [], [1, 0]):
            kv.push(keys, torch.ones(len(keys), 1), "dated")
            kv.clock()
    for servers in (1, 2, 4):
        run = SimWorld(2 + servers).run(job, 2, [table], work)
        assert final_rows(run, 2, "dated").tolist() == [[4], [4], [0], [1]]
