"""Jobs with a scheduler, in the simulator and in processes: the same results as without, faults, errors."""

import numpy as np
import pytest
import torch
from ps_jobs import ROUNDS, TABLES, check_run, job, sequential, train

from pslab.comm import Deadlock, Faults, ProcessWorld, SimWorld
from pslab.ps import SSP, KVServer, KVWorker, Scheduler, Status, TableConfig, cluster, join, serve_scheduler

ALL = [table.name for table in TABLES]
OWN, HERE = {}, {"scheduler": "server"}


def work(node, kv, seed):
    """The program of the other jobs, by worker number instead of rank."""
    comm = AsRank(node.comm, node.id)
    return train(comm, kv, seed)


class AsRank:
    """A comm whose rank is the worker's number."""

    def __init__(self, comm, number):
        self._comm, self.rank = comm, number

    def __getattr__(self, name):
        return getattr(self._comm, name)


def ends(server):
    return {"stats": server.stats(), "rows": {name: np.array(server.rows(name)) for name in ALL}}


def program(comm, K, S, seed, more):
    return cluster(comm, work, TABLES, K, S, args=(seed,), at_end=ends, **more)


class ByRole:
    """The results of a run as `check_run` reads them: workers first, then servers, each by its number."""

    def __init__(self, run, K, S, roles=None, alone=True):
        roles = roles or ["worker"] * K + ["server"] * S + ["scheduler"] * alone
        order = [rank for role in ("worker", "server") for rank in range(len(roles)) if roles[rank] == role]
        self.results = [run.results[rank] for rank in order]
        self.results = [{"result": result} if isinstance(result, list) else result for result in self.results]


def check_pulls(run, K, history):
    for worker in range(K):
        for step, pulled in enumerate(run.results[worker]["result"]):
            assert torch.equal(pulled[3], history[step]["sparse"]), (worker, step)
            assert torch.equal(pulled[1], history[step]["dense"]), (worker, step)
    for name in ("sparse", "dense"):
        assert np.array_equal(np.concatenate([rank["rows"][name] for rank in run.results[K:]]), history[ROUNDS][name])


@pytest.mark.parametrize(("K", "S", "more"), [
    (2, 2, OWN), (2, 2, HERE), (3, 1, HERE),
    (2, 2, {"roles": ["server", "worker", "scheduler", "server", "worker"]}),
    (2, 2, {"roles": ["worker", "server", "server", "worker"], **HERE}),
])
def test_results_are_those_without_a_scheduler(K, S, more):
    history = sequential(K)
    without = SimWorld(K + S).run(job, K, TABLES, train, 5)
    check_run(without, K, history)
    run = SimWorld(K + S + ("scheduler" not in more)).run(program, K, S, 5, more)
    ours = ByRole(run, K, S, more.get("roles"), "scheduler" not in more)
    check_pulls(ours, K, history)
    for worker in range(K):
        for one, other in zip(ours.results[worker]["result"], without.results[worker]["result"], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    for one, other in zip(ours.results[K:], without.results[K:], strict=True):
        assert one["stats"] == other["stats"]
        assert all(np.array_equal(one["rows"][name], other["rows"][name]) for name in ALL)
    assert run.ledger.total("vals") == without.ledger.total("vals")       # the scheduler moves no rows
    assert run.ledger.total("keys") == without.ledger.total("keys")
    workers = [rank for rank, role in enumerate(more.get("roles") or ["worker"] * K) if role == "worker"]
    assert all(run.ledger.link(a, b) == 0 for a in workers for b in workers)


@pytest.mark.parametrize("seed", range(4))
def test_lost_doubled_and_overtaken_letters_change_nothing(seed):
    faults = Faults(seed=seed, drop=0.25, duplicate=0.25, reorder_s=5e-5)
    more = [OWN, HERE][seed % 2] | {"retry_s": 3e-4}
    run = SimWorld(5 - seed % 2, faults=faults).run(program, 2, 2, seed, more)
    check_pulls(ByRole(run, 2, 2, alone=seed % 2 == 0), 2, sequential(2))
    assert run.ledger.total("retry") > 0


def test_real_processes():
    with ProcessWorld(4) as world:
        for K, S, more in ((2, 1, OWN), (2, 2, {"roles": ["server", "worker", "server", "worker"], **HERE})):
            run = world.run(program, K, S, 5, more)
            check_pulls(ByRole(run, K, S, more.get("roles"), "scheduler" not in more), K, sequential(K))


# ---- who is missing -------------------------------------------------------------------------------------------------

def absent(comm, who, more):
    """Rank `who` never registers."""
    if comm.rank != who:
        return cluster(comm, work, TABLES, 2, 2, args=(0,), **more)
    return None


@pytest.mark.parametrize(("who", "more", "missing"), [
    (3, OWN, r"1 of 2 servers \(not a word from rank 3\) did not come within 0.5 s; registered: worker at rank 0, "
             r"worker at rank 1, server at rank 2"),
    (1, HERE, r"1 of 2 workers \(not a word from rank 1\) did not come within 0.5 s"),
])
def test_a_node_that_never_comes_is_named(who, more, missing):
    with pytest.raises(TimeoutError, match=missing):
        SimWorld(4 + (more is OWN)).run(absent, who, {**more, "timeout_s": 0.5})
    with pytest.raises(Deadlock, match="deadlock"):             # without a limit the simulator knows
        SimWorld(4 + (more is OWN)).run(absent, who, more)


def test_a_node_without_a_scheduler_says_so():
    def lonely(comm):
        if comm.rank == 0:
            join(comm, "worker", 1, timeout_s=2.0)
    with pytest.raises(TimeoutError, match="worker at rank 0: no scheduler answered from rank 1 within 2 s"):
        SimWorld(2).run(lonely)


def test_a_node_that_comes_late_is_waited_for_and_one_too_many_is_told():
    def late(comm):
        if comm.rank == 3:
            return serve_scheduler(comm, Scheduler(1, 1, rank=3, timeout_s=10.0)).rows[0].state
        comm.sleep(comm.rank * 2.0)
        if comm.rank == 2:
            with pytest.raises(ValueError, match="rank 2 is one worker too many: 1 of 1 are here, at rank 0"):
                join(comm, "worker", 3)
            return "refused"
        node = join(comm, "server" if comm.rank else "worker", 3)
        comm.sleep(5.0)
        node.leave()
        return comm.now()
    run = SimWorld(4).run(late)
    assert run.results[2:] == ["refused", "left"]
    assert run.results[0] == pytest.approx(7.0, abs=1e-3)


@pytest.mark.parametrize(("kw", "message"), [
    ({"scheduler": "cloud"}, "scheduler='cloud'; allowed: 'own', 'server'"),
    ({"roles": ["worker", "server"]}, r"roles=\['worker', 'server'\]; this world has 3 ranks"),
    ({"roles": ["worker", "worker", "server"]}, "need 1 worker, 1 server, 1 scheduler"),
])
def test_roles_that_do_not_fit(kw, message):
    with pytest.raises(ValueError, match=message):
        SimWorld(3).run(lambda comm: cluster(comm, work, TABLES, 1, 1, **kw))
    with pytest.raises(ValueError, match="role='boss'"):
        SimWorld(1).run(lambda comm: join(comm, "boss", 0))


def test_tables_that_differ_are_found_at_the_door():
    def differing(comm):
        tables = [TableConfig("t", 2, 10 + (comm.rank == 0))]
        return cluster(comm, work, tables, 1, 1)
    with pytest.raises(ValueError, match="rank 0 has other tables than the scheduler: 't: 11 rows of 2, .* instead"):
        SimWorld(3).run(differing)


def test_a_node_whose_tables_cut_their_keys_elsewhere_stops():
    def elsewhere(comm):
        if comm.rank == 2:
            scheduler = Scheduler(1, 1, rank=2)
            scheduler._ranges = {"t": [0, 1, 4], "other": [0, 9]}
            return serve_scheduler(comm, scheduler)
        return join(comm, "worker" if comm.rank else "server", 2, [TableConfig("t", 1, 4)])
    with pytest.raises(ValueError, match=r"table 't': this node cuts its keys at .0, 4., the scheduler at .0, 1, 4."):
        SimWorld(3).run(elsewhere)


def test_a_node_that_starts_again_goes_on_at_the_barrier_that_is_next():
    def again(comm):
        if comm.rank == 3:
            return serve_scheduler(comm, Scheduler(2, 1, rank=3))
        node = join(comm, "server" if comm.rank == 2 else "worker", 3)
        if node.role == "worker":
            for _ in range(2):
                node.barrier("workers")
            if node.id == 1:
                comm.sleep(1.0)
                node = join(comm, "worker", 3, incarnation=1)
                assert (node.id, node.workers, node.servers) == (1, [0, 1], [2])
            else:
                comm.sleep(2.0)
            node.barrier("workers")
            assert comm.now() >= 2.0                    # the third of both; not one that was over before
        node.leave()
    run = SimWorld(4).run(again)
    assert [row.incarnation for row in run.results[3].rows] == [0, 1, 0]


# ---- barriers and status in a run -----------------------------------------------------------------------------------

def test_barriers_of_all_groups_and_letters_that_come_meanwhile():
    tables = [TableConfig("t", 1, 4)]
    order = []

    def mixed(comm):
        if comm.rank == 4:
            return serve_scheduler(comm, Scheduler(2, 2, tables, rank=4))
        node = join(comm, "worker" if comm.rank < 2 else "server", 4, tables)
        assert node.ranges == {"t": [0, 2, 4]}
        comm.sleep(comm.rank)
        if node.role == "server":
            node.barrier("servers")
            order.append(("servers", comm.now()))
            node.barrier()                          # all; a pull comes meanwhile, and waits
            node.serve(KVServer(tables, node.id, 2, node.workers, comm.rank))
        else:
            kv = KVWorker(node.mail, node.servers, tables)
            pulled = kv.pull(range(4), "t")
            node.barrier("workers")
            order.append(("workers", comm.now()))
            with pytest.raises(ValueError, match="group='servers'; a worker is in 'workers' and 'all'"):
                node.barrier("servers")
            if node.id == 0:
                with pytest.raises(TimeoutError, match=r"barrier 1 of all: worker 1 \(rank 1\) did not come"):
                    node.barrier("all", timeout_s=2.5)
            comm.sleep(3.0)
            node.barrier("all")
            order.append(("all", comm.now()))
            assert kv.wait(pulled).ravel().tolist() == [0, 0, 0, 0]
            kv.goodbye()
        node.leave()
    SimWorld(5).run(mixed)
    times = sorted((name, round(at_s, 2)) for name, at_s in order)
    assert times == [("all", 6.5), ("all", 6.5), ("servers", 3), ("servers", 3), ("workers", 1), ("workers", 1)]


def straggler(node, kv, statuses):
    """Worker 1 takes 100 s for its second round; worker 2 asks for the status in its own."""
    for step in range(4):
        if node.id == 2 and step == 1:
            node.comm.sleep(5.0)
            statuses.append(node.status())
            node.comm.sleep(15.0)
            statuses.append(node.status())
        node.comm.compute(100.0 if node.id == 1 and step == 1 else 1.0)
        kv.clock()


def test_status_says_who_waits_for_whom_since_when():
    statuses, reports = [], []
    tables = [TableConfig("t", 1, 4, consistency=SSP(1))]

    def watched(comm):
        return cluster(comm, lambda node, kv: straggler(node, kv, statuses), tables, 3, 1, status_every_s=30.0)
    run = SimWorld(5).run(watched, on_report=lambda rank, value: reports.append((rank, Status.from_dict(value))))
    early, late = statuses
    assert [row.clock for row in early.rows[:3]] == [3, 1, 1]
    fast, slow, asking = early.rows[:3]
    # Worker 0 finished rounds 0, 1 and 2 by 3 s; at clock 3 it may not be more than one ahead of workers 1 and 2.
    assert (fast.state, fast.waits_for) == ("waiting", (1, 2))
    assert fast.for_s == pytest.approx(6 - 3, abs=1e-3)
    assert (slow.state, slow.waits_for) == ("running", ())
    assert slow.for_s == pytest.approx(5, abs=1e-3)
    assert asking.state == "running"
    assert late.rows[0].for_s == pytest.approx(21 - 3, abs=1e-3)
    # Every 30 s by itself, live: at 30 s worker 2 has gone on, and both wait for worker 1 alone.
    assert [rank for rank, _ in reports] == [4] * 3
    assert [round(status.now_s) for _, status in reports] == [30, 60, 90]
    first = reports[0][1]
    assert [(row.state, row.clock, row.waits_for) for row in first.rows[:3]] == \
        [("waiting", 3, (1,)), ("running", 1, ()), ("waiting", 3, (1,))]
    assert "worker 0  0     waiting  3      worker 1" in first.table()
    assert all(row["state"] == "left" for row in run.results[4]["rows"])


def live(node, kv):
    if node.id == 0:
        node.status()
    for _ in range(3):
        kv.clock()
    return node.status().as_dict()


def live_program(comm, more):
    return cluster(comm, live, TABLES, 2, 1, **more)


def test_status_in_processes():
    with ProcessWorld(3) as world:
        run = world.run(live_program, HERE)
    for worker in (0, 1):
        status = Status.from_dict(run.results[worker])
        assert [row.role for row in status.rows] == ["worker", "worker", "server"]
        assert status.row(worker).clock == 3
        assert status.row(worker).state == "running"
        assert "server 0  2     serving" in status.table()
