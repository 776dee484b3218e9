"""SSP and ASP: who may run ahead, what a pull sees, and how long a job takes, against a reference of a few lines."""

import math

import numpy as np
import pytest
import torch
from ps_history import check_reads, counters, leads, reference, run_counts
from ps_jobs import TABLES, check_run, job, sequential, train

from pslab.comm import Deadlock, Link, Mail, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, KVServer, TableConfig, Uniform, consistency_of
from pslab.ps.clocks import Clocks

INF = math.inf


def profile(seed, workers, rounds):
    """Durations in 1/1024 s, so that sums are exact: everybody's speed, and now and then a slow round."""
    rng = np.random.default_rng(seed)
    speed = rng.integers(1, 9, (workers, 1))
    slow = np.where(rng.random((workers, rounds)) < 0.2, rng.integers(2, 9, (workers, rounds)), 1)
    return (speed * slow / 1024).tolist()


def judge(seed, model, staleness):
    """One random profile under a model that should be of this staleness; gives (largest lead, largest lag seen)."""
    workers, rounds = 2 + seed % 4, 12
    durations = profile(seed, workers, rounds)
    reads, run = run_counts(counters(workers, t=model), durations)
    ahead = leads(reads, durations)
    assert max(ahead) <= staleness, f"seed {seed}: a worker begins a round {max(ahead)} ahead"
    lag = check_reads(reads, "t", staleness, rounds, model.in_rounds, where=f"seed {seed},")
    ends = reference(durations, staleness)
    assert run.seconds == max(map(max, ends)), f"seed {seed}: makespan"
    for read in reads:
        assert read.time_s + durations[read.worker][read.clock] == ends[read.worker][read.clock], f"seed {seed}: {read}"
    return max(ahead), lag


def judge_all(model, staleness, seeds=50):
    return [judge(seed, model, staleness) for seed in range(seeds)]


@pytest.mark.parametrize("staleness", [0, 1, 3])
def test_random_profiles(staleness):
    """Leads are bounded and reached, reads too, and every round ends when the reference says."""
    found = judge_all(SSP(staleness), staleness, seeds=15)
    assert max(found) == (staleness, staleness)


@pytest.mark.parametrize("model", [SSP(INF), ASP()])
def test_without_a_bound_nobody_waits(model):
    for seed in range(10):
        durations = profile(seed, 4, 12)
        reads, run = run_counts(counters(4, t=model), durations)
        assert run.seconds == max(map(sum, durations))
        check_reads(reads, "t", INF, 12)


def planted(may, **more):
    class Planted(SSP):
        in_rounds, reads_own = False, True

        def may_read(self, clock, min_clock):
            return may(clock, min_clock, self.staleness)
    return Planted(2)


WRONG = {
    "off by one, loose": lambda clock, low, s: low >= clock - s - 1,
    "off by one, tight": lambda clock, low, s: low >= clock - s + 1,
    "counts from its own push": lambda clock, low, s: low > clock - s,
    "hidden BSP": lambda clock, low, s: low >= clock,
    "hidden ASP": lambda clock, low, s: True,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gate_is_caught(name):
    with pytest.raises(AssertionError, match="seed"):
        judge_all(planted(WRONG[name]), 2)


def test_the_largest_clock_for_the_smallest_is_caught(monkeypatch):
    def advance(self, worker, clock):
        self.of[worker] = max(self.of[worker], clock)
        before, self.min_clock = self.min_clock, max(self.of.values())
        return self.min_clock > before
    monkeypatch.setattr(Clocks, "advance", advance)
    with pytest.raises((AssertionError, Deadlock)):         # it may also wait for ever
        judge_all(SSP(1), 1)


def test_a_gate_that_asks_for_more_than_ones_own_clock_is_a_deadlock():
    model = planted(lambda clock, low, s: low > clock)
    with pytest.raises(Deadlock):
        run_counts(counters(2, t=model), [[1.0] * 3] * 2)


# ---- what staleness buys ----------------------------------------------------------------------------------------


def seconds(durations, staleness):
    _, run = run_counts(counters(len(durations), t=consistency_of(staleness)), durations)
    assert run.seconds == max(map(max, reference(durations, staleness)))
    return run.seconds


def test_a_straggler_that_stays_is_not_cured():
    durations = [[8.0 if worker == 2 else 2.0] * 25 for worker in range(4)]
    assert [seconds(durations, s) for s in (0, 1, 2, 4, 8, INF)] == [200.0] * 6


def test_stragglers_that_come_and_go_are():
    """Waits drawn from |Cauchy|, cut at 32: everyone is slow at times. More staleness, less time, down to a floor."""
    draws = np.abs(np.random.default_rng(0).standard_cauchy((8, 30)))
    durations = (np.round(np.minimum(1 + draws, 32) * 1024) / 1024).tolist()
    took = {s: seconds(durations, s) for s in (0, 1, 2, 4, 8, INF)}
    speedups = [took[0] / took[s] for s in (1, 2, 4, 8, INF)]
    assert speedups == sorted(speedups)
    assert speedups[0] > 1.3
    assert speedups[3] > 2
    assert took[INF] == max(map(sum, durations))


# ---- the ends of the scale --------------------------------------------------------------------------------------


def test_a_staleness_of_0_is_bsp_bit_for_bit():
    """Rows, every letter and every moment; AdaGrad on random floats, where order shows."""
    def work(comm, kv):
        rng = np.random.default_rng(comm.rank)
        for _ in range(6):
            comm.compute(float(rng.exponential(1e-4)))
            keys = rng.integers(0, 20, 7)
            kv.wait(kv.pull(keys, "t"))
            kv.push(keys, torch.from_numpy(rng.standard_normal((7, 3)).astype(np.float32)), "t")
            kv.clock()
    runs = []
    for model in (BSP(), SSP(0)):
        table = TableConfig("t", 3, 20, consistency=model, init=Uniform(0.1))
        run = SimWorld(5).run(job, 3, [table], work)
        runs.append((run.trace.to_bytes(), [rank["rows"]["t"].tobytes() for rank in run.results[3:]]))
    assert runs[0] == runs[1]


def test_the_sequential_program_under_a_staleness_of_0():
    tables = [TableConfig(t.name, t.dim, t.num_rows, t.rule, SSP(0), init=t.init) for t in TABLES]
    check_run(SimWorld(5).run(job, 3, tables, train, 1), 3, sequential(3))


def test_consistency_of_a_number():
    assert [consistency_of(s) for s in (0, 1, 7, INF)] == [BSP(), SSP(1), SSP(7), ASP()]
    assert (BSP().in_rounds, SSP(0).in_rounds, SSP(1).in_rounds, ASP().in_rounds) == (True, True, False, False)


@pytest.mark.parametrize("staleness", [-1, 1.5, True, "1", None, float("nan"), -INF])
def test_what_is_no_staleness_is_refused(staleness):
    for make in (SSP, consistency_of):
        with pytest.raises(ValueError, match="staleness="):
            make(staleness)


# ---- steps, and tables that differ --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SSP(1), ASP()])
def test_every_push_is_a_step_on_arrival(model):
    """Seen by another worker within the round; duplicate keys of one push are still one step."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=model)

    def work(comm, kv):
        if comm.rank == 0:
            kv.wait(kv.push([1, 1, 2], torch.ones(3, 1), "t"))
            kv.push([1], torch.ones(1, 1), "t")
            return kv.wait(kv.pull(range(4), "t"))[:, 0].tolist()
        comm.compute(1e-3)
        return kv.wait(kv.pull(range(4), "t"))[:, 0].tolist()
    run = SimWorld(3).run(job, 2, [table], work)
    assert [run.results[worker]["result"] for worker in (0, 1)] == [[0, -3, -1, 0]] * 2
    assert run.results[2]["stats"]["tables"]["t"]["steps"] == 2


def test_steps_on_arrival_are_numbered():
    class Dated(SGD):
        def step(self, rows, grads, state, t):
            rows[:] = t
    server = KVServer([TableConfig("t", 1, 4, Dated(1.0), ASP())], 0, 1, [0])
    for number, key in enumerate((3, 1, 3), start=1):
        tensors = [np.array([key]), np.ones((1, 1), np.float32)]
        server.handle(Mail(0, "push", {"t": 0, "q": number, "n": 0, "c": 5}, tensors), 0)
    assert server.rows("t")[:, 0].tolist() == [0, 2, 0, 3]


@pytest.mark.parametrize("link", [None, Link(latency_s=1e-4)])
def test_tables_of_one_job_may_differ(link):
    """One clock a worker: the strictest table holds it back; each table keeps its own promise, and its own steps."""
    durations, world = profile(3, 3, 15), {"link": link} if link else {}
    models = {"strict": SSP(1), "loose": SSP(4), "free": ASP()}
    reads, run = run_counts(counters(3, **models), durations, servers=2, **world)
    assert max(leads(reads, durations)) == 1
    for name in models:
        assert check_reads(reads, name, 1, 15) <= 1
    reads, run = run_counts(counters(3, rounds=BSP(), **models), durations, servers=2, **world)
    assert max(leads(reads, durations)) == 0
    check_reads(reads, "rounds", 0, 15, in_rounds=True)
    for name in models:
        check_reads(reads, name, 0, 15)
    steps = [server["tables"] for server in run.results[3:]]
    assert sum(tables["rounds"]["steps"] for tables in steps) == 15 * 2         # one a round and server with rows
    assert sum(tables["free"]["steps"] for tables in steps) == 15 * 3


def test_a_slow_link_to_one_server_breaks_no_promise():
    """Worker 0's letters to server 1 are late: pulls there wait until the clocks they need have arrived."""
    durations = profile(5, 3, 12)
    for staleness in (0, 1, 2):
        for slow in ((0, 4), (1, 3), (4, 2)):
            model = consistency_of(staleness)
            reads, _ = run_counts(counters(3, t=model), durations, servers=2, links={slow: Link(latency_s=0.01)})
            check_reads(reads, "t", staleness, 12, model.in_rounds, where=f"link {slow},")
