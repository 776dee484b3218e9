"""Mail that is lost, doubled and overtaken: every push counts once, every read keeps its promise, every job ends."""

import random

import numpy as np
import pytest
import torch
from ps_history import Losing, check_reads, counters, run_counts
from ps_jobs import TABLES, final_rows, sequential, train

from pslab.comm import Deadlock, Faults, Link, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, KVServer, KVWorker, TableConfig, serve
from pslab.ps.dedup import Seen

MODELS = [BSP(), SSP(1), SSP(2), ASP()]
SETTINGS = {"retry_s": 60e-6}


def misfortune(seed):
    """Some faults of this seed, mild to bad."""
    chance = random.Random(seed)
    return Faults(seed=seed, drop=chance.choice([0, 0.1, 0.3, 0.5]), duplicate=chance.choice([0, 0.2, 0.5]),
                  reorder_s=chance.choice([0, 20e-6, 200e-6]), delay_s=chance.choice([0, 20e-6]))


def work(comm, kv, model):
    """Three rounds; distinct pushes whose sum is known, on rows that all workers share."""
    for clock in range(3):
        asked = kv.pull(range(4), "t")
        kv.push([clock, 3, 3], torch.tensor([[1.0], [2.0], [4.0]]) * 10**comm.rank, "t")
        kv.push(range(1, 3), torch.full((2, 1), 100.0**comm.rank), "t")
        kv.wait(asked)
        kv.clock()
    kv.push([0], torch.full((1, 1), 5.0), "t")       # of the round that goodbye ends


def truth(workers):
    rows = np.zeros(4, np.float32)
    for worker in range(workers):
        np.subtract.at(rows, [0, 1, 2], 10**worker)
        rows[3] -= 3 * 6 * 10**worker
        rows[1:3] -= 3 * 100**worker
        rows[0] -= 5
    return rows


def play(seed, settings=SETTINGS):
    """A job of this seed; AssertionError names the seed. Gives (letters sent again, repeats the servers saw)."""
    workers, servers, model = 1 + seed % 3, 1 + seed // 3 % 2, MODELS[seed // 6 % 4]
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=model)

    def program(comm):
        if comm.rank >= workers:
            server = KVServer([table], comm.rank - workers, servers, range(workers))
            return serve(comm, server), {"t": np.array(server.rows("t"))}
        with KVWorker(comm, range(workers, comm.world_size), [table], **settings) as kv:
            work(comm, kv, model)
        return kv.resent
    again = f"seed {seed}: replay with play({seed}), faults {misfortune(seed)}"
    try:
        run = SimWorld(workers + servers, faults=misfortune(seed), engine="greenlets", trace=False).run(program)
    except Exception as error:
        error.add_note(again)
        raise
    rows = np.concatenate([held["t"] for _, held in run.results[workers:]])[:, 0]
    assert np.array_equal(rows, truth(workers)), f"{again}: {rows} instead of {truth(workers)}"
    stats = [stats for stats, _ in run.results[workers:]]
    assert sum(s["refused"] for s in stats) == 0, again
    assert sum(run.results[:workers]) == 0 or run.ledger.total("retry") > 0, again
    return sum(run.results[:workers]), sum(s["repeats"] for s in stats)


def test_the_sum_of_distinct_pushes_over_100_seeds():
    resent, repeats = zip(*[play(seed) for seed in range(100)])
    assert sum(resent) > 1000                                        # the faults were there
    assert sum(repeats) > 500


@pytest.mark.long
def test_the_sum_of_distinct_pushes_over_2000_seeds():
    for seed in range(100, 2000):
        play(seed)


# ---- what the seeds would show if a part were missing -----------------------------------------------------------


def play_all():
    for seed in range(60):
        play(seed)


def test_without_memory_of_numbers_it_is_caught(monkeypatch):
    monkeypatch.setattr(Seen, "is_repeat", lambda self, incarnation, number: False)
    with pytest.raises(AssertionError, match="seed"):
        play_all()


def test_one_memory_for_all_workers_is_caught(monkeypatch):
    """Two workers with equal numbers are not one worker that repeats itself."""
    made = KVServer.__init__

    def shared(self, *args, **kwargs):
        made(self, *args, **kwargs)
        self._senders.writes = dict.fromkeys(self.workers, Seen())
    monkeypatch.setattr(KVServer, "__init__", shared)
    with pytest.raises(AssertionError, match="seed"):
        play_all()


def test_a_high_water_mark_alone_is_caught(monkeypatch):
    """Without the window, a letter that was overtaken counts as seen."""
    def note(self, incarnation, number):
        self.mark = max(self.mark, number)
    monkeypatch.setattr(Seen, "note", note)
    with pytest.raises(AssertionError, match="seed"):
        play_all()


def test_doubled_letters_alone_need_no_retransmission():
    """Numbers suffice: letters that come twice change nothing, with the worker's settings as they are by default."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0))

    def program(comm):
        if comm.rank == 2:
            server = KVServer([table], 0, 1, [0, 1])
            return serve(comm, server)["repeats"], server.rows("t")[:, 0].copy()
        with KVWorker(comm, [2], [table]) as kv:
            work(comm, kv, BSP())
    for seed in range(10):
        run = SimWorld(3, faults=Faults(seed=seed, duplicate=0.5), engine="greenlets").run(program)
        repeats, rows = run.results[2]
        assert np.array_equal(rows, truth(2)), f"seed {seed}"
        assert repeats


@pytest.mark.parametrize("model", [SSP(1), ASP()])
def test_a_clock_letter_doubled_past_the_goodbye_is_old_news(model):
    """Worker 0 leaves at once and waits for the answer of a far server, while a near one hears its clock again."""
    table, far = TableConfig("t", 1, 10, rule=SGD(1.0), consistency=model), {(0, 4): Link(latency_s=5e-4)}

    def program(comm):
        if comm.rank >= 2:
            return serve(comm, KVServer([table], comm.rank - 2, 3, [0, 1]))["refused"]
        comm.compute(1e-3 * comm.rank)
        with KVWorker(comm, [2, 3, 4], [table]) as kv:
            kv.push([0, 9], torch.ones(2, 1), "t")
            kv.clock()
    for seed in range(10):
        faults = Faults(seed=seed, duplicate=0.5)
        assert SimWorld(5, links=far, faults=faults, engine="greenlets").run(program).results[2:] == [0, 0, 0], seed


def test_without_retransmission_jobs_stop():
    with pytest.raises(Deadlock):
        play(3 + 6 * 2, {"retry_s": None})


# ---- promises under loss ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("staleness", [0, 1, 3])
def test_reads_keep_the_bound_and_ones_own_writes(staleness):
    model = SSP(staleness)
    resent = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        durations = rng.exponential(1e-4, (3, 6)).tolist()
        reads, run = run_counts(counters(3, t=model), durations, servers=2, settings={"retry_s": 100e-6},
                                faults=Faults(seed=seed, drop=0.2, duplicate=0.2, reorder_s=200e-6), link=Link())
        check_reads(reads, "t", staleness, 6, model.in_rounds, where=f"seed {seed},")
        resent += run.ledger.total("retry")
    assert resent


def test_a_pull_that_overtakes_its_workers_push_waits_for_it():
    """SSP promises a worker its own writes, ASP does not: here the push is lost at first, and the pull is not."""
    seen = {}
    for model in (SSP(float("inf")), ASP()):
        table = TableConfig("t", 1, 2, rule=SGD(1.0), consistency=model)

        def program(comm, table=table):
            if comm.rank:
                return serve(Losing(comm), KVServer([table], 0, 1, [0]))
            with KVWorker(Losing(comm, push=[0]), [1], [table], **SETTINGS) as kv:
                kv.push([1], torch.ones(1, 1), "t")
                return kv.wait(kv.pull([1], "t")).item()
        seen[type(model)] = SimWorld(2).run(program).results[0]
    assert seen == {SSP: -1.0, ASP: 0.0}


def test_the_sequential_program_under_loss():
    history = sequential(2)
    for seed in range(3):
        run = SimWorld(4, faults=Faults(seed=seed, drop=0.3, duplicate=0.3, reorder_s=100e-6)).run(lossy_train, seed)
        for worker in (0, 1):
            for step, (_, dense, _, whole) in enumerate(run.results[worker]["result"]):
                assert torch.equal(whole, history[step]["sparse"]), f"seed {seed}"
                assert torch.equal(dense, history[step]["dense"]), f"seed {seed}"
        assert np.array_equal(final_rows(run, 2, "sparse"), history[-1]["sparse"]), f"seed {seed}"


def test_pulls_asked_for_before_clock_see_their_own_round_under_loss():
    """The clock letter must not overtake a pull: clock() waits for its answer where letters can."""
    table = TableConfig("t", 1, 2, rule=SGD(1.0))

    def program(comm):
        if comm.rank >= 2:
            return serve(comm, KVServer([table], comm.rank - 2, 2, [0, 1]))
        with KVWorker(comm, [2, 3], [table], **SETTINGS) as kv:
            asked = []
            for _ in range(5):
                asked.append(kv.pull([0, 1], "t"))
                kv.push([0, 1], torch.ones(2, 1), "t")
                kv.clock()
            return [kv.wait(timestamp)[:, 0].tolist() for timestamp in asked]
    for seed in range(15):
        run = SimWorld(4, faults=Faults(seed=seed, drop=0.3, reorder_s=200e-6), engine="greenlets").run(program)
        assert run.results[:2] == [[[-2.0 * clock] * 2 for clock in range(5)]] * 2, f"seed {seed}"


def lossy_train(comm, seed):
    if comm.rank >= 2:
        server = KVServer(TABLES, comm.rank - 2, 2, [0, 1])
        return {"stats": serve(comm, server), "rows": {t.name: np.array(server.rows(t.name)) for t in TABLES}}
    with KVWorker(comm, [2, 3], TABLES, retry_s=100e-6) as kv:
        return {"result": train(comm, kv, seed)}


# ---- one letter lost, each in turn --------------------------------------------------------------------------------


def lose_one(model, loser, number):
    """Two workers, one server; rank `loser` loses its letter of this number. Whether there was such a letter."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=model)

    def program(comm):
        losing = Losing(comm, all=[number]) if comm.rank == loser else comm
        if comm.rank == 2:
            server = KVServer([table], 0, 1, [0, 1])
            serve(losing, server)
            return server.rows("t")[:, 0].copy(), losing
        with KVWorker(losing, [2], [table], **SETTINGS) as kv:
            work(comm, kv, model)
        return kv.resent, losing
    run = SimWorld(3, engine="greenlets", trace=False).run(program)
    assert np.array_equal(run.results[2][0], truth(2)), f"{model}: letter {number} of rank {loser} was lost"
    return run.results[loser][1].posted["all"] >= number


@pytest.mark.parametrize("model", [BSP(), SSP(1), ASP()])
@pytest.mark.parametrize("loser", [0, 2])
def test_any_one_letter_may_be_lost(model, loser):
    number = 0
    while lose_one(model, loser, number):
        number += 1
    assert number > 12


def test_a_lost_reply_after_the_push_was_applied():
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=ASP())

    def program(comm):
        if comm.rank:
            server = KVServer([table], 0, 1, [0])
            return serve(Losing(comm, ack=[0, 1]), server)["repeats"], server.rows("t")[2].item()
        with KVWorker(comm, [1], [table], **SETTINGS) as kv:
            kv.wait(kv.push([2], torch.full((1, 1), 7.0), "t"))
            return kv.resent
    run = SimWorld(2).run(program)
    assert run.results == [2, (2, -7.0)]
    assert run.ledger.link(0, 1, "retry") > 0
    assert run.ledger.link(0, 1, "vals") == 4                        # the first time; the other two are retries
    assert run.ledger.link(1, 0, "retry") > 0                        # an acknowledgement given again


def test_what_is_sent_again_is_what_was_pushed():
    """Keys and vals may change as soon as push() returned, also when the first letter was lost."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=ASP())

    def program(comm):
        if comm.rank:
            server = KVServer([table], 0, 1, [0])
            serve(comm, server)
            return server.rows("t")[:, 0].tolist()
        keys, vals = torch.tensor([1, 3]), torch.tensor([[1.0], [2.0]])
        with KVWorker(Losing(comm, push=[0]), [1], [table], **SETTINGS) as kv:
            stamp = kv.push(keys, vals, "t")
            keys.fill_(0)
            vals.fill_(50.0)
            kv.wait(stamp)
    assert SimWorld(2).run(program).results[1] == [0, -1, 0, -2]


def test_lost_rows_are_sent_again_and_counted_as_such():
    table = TableConfig("t", 2, 4)

    def program(comm):
        if comm.rank:
            return serve(Losing(comm, rows=[0]), KVServer([table], 0, 1, [0]))["repeats"]
        with KVWorker(comm, [1], [table], **SETTINGS) as kv:
            return kv.wait(kv.pull([1, 3], "t")).shape
    run = SimWorld(2).run(program)
    assert run.results == [(2, 2), 1]
    assert run.ledger.link(0, 1, "keys") == 16                      # asked for once; the rest is retries
    assert run.ledger.link(0, 1, "retry") > 16
    assert run.ledger.link(1, 0, "vals") == 0                       # the first answer was lost before it was posted
    assert run.ledger.link(1, 0, "retry") > 16


# ---- lives ----------------------------------------------------------------------------------------------------------


def test_a_restarted_worker_counts_once_what_was_acknowledged_and_never_twice():
    """Each push has a row of its own. A life ends at any moment, letters still under way; the next counts from 1."""
    table = TableConfig("t", 1, 40, rule=SGD(1.0), consistency=ASP())

    def program(comm, seed):
        if comm.rank:
            server = KVServer([table], 0, 1, [0])
            serve(comm, server)
            return -server.rows("t")[:, 0]
        chance, acknowledged, row = random.Random(seed), set(), 0
        for life in range(4):
            kv = KVWorker(comm, [1], [table], incarnation=life, clock=life, **SETTINGS)
            for _ in range(chance.randrange(1, 10)):
                stamp = kv.push([row], torch.ones(1, 1), "t")
                kv.pull([row], "t")
                if chance.random() < 0.5:
                    kv.wait(stamp)
                    acknowledged.add(row)
                row += 1
        kv.goodbye()
        return acknowledged, row
    for seed in range(25):
        world = SimWorld(2, faults=Faults(seed=seed, drop=0.2, duplicate=0.3, reorder_s=300e-6), engine="greenlets")
        (acknowledged, row), counts = world.run(program, seed).results
        assert set(counts.tolist()) <= {0.0, 1.0}, f"seed {seed}"
        assert all(counts[sure] == 1 for sure in acknowledged), f"seed {seed}"
        assert not counts[row:].any(), f"seed {seed}"


def test_a_restarted_worker_goes_on_at_its_clock():
    table = TableConfig("t", 1, 2, rule=SGD(1.0))

    def program(comm):
        if comm.rank == 2:
            server = KVServer([table], 0, 1, [0, 1])
            return serve(comm, server)["tables"]["t"]["steps"], server.rows("t")[0].item()
        kv = KVWorker(comm, [2], [table])
        for clock in range(4):
            if comm.rank == 1 and clock == 2:
                kv = KVWorker(comm, [2], [table], incarnation=1, clock=2)
            assert kv.current_clock == clock
            kv.push([0], torch.ones(1, 1), "t")
            kv.clock()
        kv.goodbye()
    assert SimWorld(3).run(program).results[2] == (4, -8.0)
