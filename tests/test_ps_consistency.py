"""Bounded delay, backup workers, a model for each range of keys, clocks of ranges: promises kept, and times by hand."""

import math

import numpy as np
import pytest
import torch
from ps_history_job import misfortune

from pslab.comm import Deadlock, Link, SimWorld
from pslab.ps import (
    ASP,
    BSP,
    EASGD,
    SGD,
    SSP,
    AdaGrad,
    BoundedDelay,
    Custom,
    HashPartition,
    KVServer,
    KVWorker,
    PerRange,
    TableConfig,
    serve,
)
from pslab.ps.clocks import Clocks
from pslab.ps.history import History, Recorder, ServerLog, check

FREE = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=math.inf)      # messages take no time: only computing does


def run(workers, tables, work, servers=1, link=FREE, settings=None, **world):
    """work(comm, kv) on the workers; servers give their rows, stats and clocks of ranges."""
    tables = tables if isinstance(tables, list) else [tables]

    def program(comm):
        if comm.rank >= workers:
            server = KVServer(tables, comm.rank - workers, servers, range(workers), range_clocks=True)
            stats = serve(comm, server)
            return {"rows": {table.name: np.array(server.rows(table.name)) for table in tables}, "stats": stats,
                    "ranges": {table.name: [(lo, hi, dict(clock)) for lo, hi, clock in
                                            server.range_clocks(table.name).ranges()] for table in tables}}
        with KVWorker(comm, range(workers, comm.world_size), tables, **(settings or {})) as kv:
            return work(comm, kv)
    return SimWorld(workers + servers, link=link, engine="greenlets", trace=False, **world).run(program)


# ---- bounded delay ------------------------------------------------------------------------------------------------


def times_by_hand(computes_s, answer_s, tau):
    """When each iteration begins: not before the one before has computed, nor before the requests of iteration
    t - tau - 1, made as its computing ended, were answered."""
    begins = []
    for t in range(len(computes_s)):
        free_s = begins[-1] + computes_s[t - 1] if begins else 0.0
        needed = t - tau - 1
        answered_s = begins[needed] + computes_s[needed] + answer_s if needed >= 0 else 0.0
        begins.append(max(free_s, answered_s))
    return begins


@pytest.mark.parametrize("tau", [0, 1, 2, 5])
def test_an_iteration_begins_when_requests_of_long_ago_are_answered(tau):
    """Round trips of 8 s, computing of 1 to 4 s: exact times, on whole numbers."""
    computes_s = [3.0, 1.0, 1.0, 2.0, 4.0, 1.0, 1.0, 1.0, 2.0]
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=BoundedDelay(tau))

    def work(comm, kv):
        begins, asked = [], []
        for seconds in computes_s:
            begins.append(comm.now())
            comm.compute(seconds)
            kv.push([1], torch.ones(1, 1), "t")
            asked.append(kv.pull([1], "t"))
            kv.clock()
        return begins, [int(kv.wait(timestamp)) for timestamp in asked]
    begins, saw = run(1, table, work, link=Link(latency_s=4.0, overhead_s=0.0, bandwidth_Bps=math.inf)).results[0]
    assert begins == times_by_hand(computes_s, 8.0, tau)
    assert saw == [-t - 1 for t in range(len(computes_s))]


def test_bounded_delay_is_not_ssp():
    """A slow worker holds nobody up under bounded delay, however small tau is; under SSP it does."""
    ends = {}
    for model in (BoundedDelay(0), SSP(0), SSP(2), BoundedDelay(2)):
        table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=model)

        def work(comm, kv):
            for _ in range(5):
                comm.compute(10.0 if comm.rank else 1.0)
                kv.push([1], torch.ones(1, 1), "t")
                kv.clock()
            return comm.now()
        ends[model] = run(2, table, work).results[:2]
    assert ends == {BoundedDelay(0): [5.0, 50.0], BoundedDelay(2): [5.0, 50.0], SSP(0): [50.0, 50.0],
                    SSP(2): [30.0, 50.0]}


@pytest.mark.parametrize("tau", [0, 2])
def test_bounded_delay_where_letters_are_lost(tau):
    """Requests are under way across clocks, lost and sent again: none is refused, none dropped, the sum is right."""
    table = TableConfig("t", 1, 3, rule=SGD(1.0), consistency=BoundedDelay(tau))

    def work(comm, kv):
        asked = []
        for step in range(6):
            kv.push([step % 3], torch.ones(1, 1), "t")
            asked.append(kv.pull(range(3), "t"))
            kv.clock()
        return [kv.wait(timestamp)[:, 0].tolist() for timestamp in asked]
    for seed in (1, 2, 4, 6, 7):
        done = run(2, table, work, servers=2, faults=misfortune(seed), link=Link(), settings={"retry_s": 1e-4})
        assert np.concatenate([server["rows"]["t"] for server in done.results[2:]])[:, 0].tolist() == [-4] * 3, seed
        assert all(server["stats"]["refused"] == 0 for server in done.results[2:])


def test_bounded_delay_beside_bsp():
    """One worker's clock serves both tables: the BSP table keeps its promise, requests of the other stay under way."""
    tables = [TableConfig("exact", 1, 2, rule=SGD(1.0)),
              TableConfig("loose", 1, 2, rule=SGD(1.0), consistency=BoundedDelay(3))]

    def work(comm, kv):
        seen = []
        for _ in range(4):
            seen.append(int(kv.wait(kv.pull([0], "exact"))))
            kv.push([0], torch.ones(1, 1), "exact")
            kv.pull([0], "loose")
            kv.clock()
        return seen
    assert run(2, tables, work, link=Link(latency_s=1e-3)).results[:2] == [[0, -2, -4, -6]] * 2


# ---- backup workers -----------------------------------------------------------------------------------------------


def backup_job(model, durations, rule=None, servers=1, **world):
    """Each worker pushes 1 to row 0 and its rank to row 1; gives (moments, clocks) of its rounds, and the run."""
    workers, rounds = len(durations), len(durations[0])
    table = TableConfig("t", 1, 2, rule=rule or SGD(1.0), consistency=model)

    def work(comm, kv):
        ends = []
        while kv.current_clock < rounds:
            comm.compute(durations[comm.rank][kv.current_clock])
            kv.push([0, 1], torch.tensor([[1.0], [float(comm.rank)]]), "t")
            clock = kv.clock()
            ends.append((clock, comm.now()))
        return ends
    return run(workers, table, work, servers=servers, **world)


@pytest.mark.parametrize(("workers", "backup"), [(2, 1), (4, 1), (4, 2), (5, 3)])
def test_a_round_takes_as_long_as_the_worker_that_is_waited_for(workers, backup):
    """A late worker goes on with the open round as soon as it is done, so every round's time follows by hand."""
    for seed in range(6):
        durations = np.random.default_rng([seed, workers]).integers(1, 9, (workers, 8)).astype(float)
        run = backup_job(BSP(backup=backup), durations.tolist())
        free_s, at, front, closes = [0.0] * workers, [0] * workers, 0, []
        while front < 8:                                    # by hand: who would end the open round, and when
            ends = {w: max(free_s[w], closes[at[w] - 1] if at[w] else 0.0) + durations[w][at[w]]
                    for w in range(workers)}
            inside = sorted(ends[w] for w in range(workers) if at[w] == front)
            if len(inside) >= workers - backup:
                close_s = inside[workers - backup - 1]
                late = [end_s for w, end_s in ends.items() if at[w] < front and end_s <= close_s]
                if not late:
                    closes.append(close_s)
                    front += 1
                    for w in range(workers):
                        if at[w] == front - 1 and ends[w] <= close_s:
                            free_s[w], at[w] = close_s, front
                    continue
            first = min((ends[w], w) for w in range(workers) if at[w] < front)      # the late one that is done first
            free_s[first[1]], at[first[1]] = first[0], front
        seen = {}
        for ends in run.results[:workers]:
            for clock, moment_s in ends:
                seen[clock] = min(seen.get(clock, math.inf), moment_s)
        assert [seen[clock] for clock in range(1, 9)] == closes, f"seed {seed}"


def test_the_mean_is_over_those_used():
    """Worker 2 is late in the two rounds that it takes part in: its pushes count nowhere, the others' for all three."""
    durations = [[1.0] * 4, [1.0] * 4, [3.5] * 4]
    done = backup_job(BSP(backup=1), durations)
    server = done.results[3]
    assert server["rows"]["t"][:, 0].tolist() == [-4 * 3.0, -4 * 3 * 0.5]       # ranks 0 and 1: their mean is a half
    assert server["stats"]["tables"]["t"]["late"] == 2
    assert server["stats"]["tables"]["t"]["steps"] == 4
    assert done.results[2] == [(3, 3.5), (4, 7.0)]                              # from round 0 to the one that is open
    none = backup_job(BSP(), durations).results[3]
    assert none["rows"]["t"][:, 0].tolist() == [-12.0, -12.0]
    assert "late" not in none["stats"]["tables"]["t"]


def test_one_in_time_has_its_push_in_the_round_however_often_it_pushes():
    """Rounds close on clocks of distinct workers: one that pushes five times closes nothing."""
    table = TableConfig("t", 1, 1, rule=SGD(1.0), consistency=BSP(backup=1))

    def work(comm, kv):
        for _ in range(5 if comm.rank == 0 else 1):
            kv.push([0], torch.ones(1, 1), "t")
        comm.compute([1.0, 2.0, 9.0][comm.rank])
        kv.clock()
        return comm.now(), int(kv.wait(kv.pull([0], "t")))
    done = run(3, table, work)
    assert done.results[:3] == [(2.0, -9), (2.0, -9), (9.0, -9)]        # 5 + 1 of two workers, times 3 / 2
    assert done.results[3]["stats"]["tables"]["t"]["late"] == 1


def test_the_sum_of_a_round_is_scaled_and_not_its_parts():
    """Whole numbers that add up to nothing do so where three of four workers were in time."""
    table = TableConfig("t", 1, 1, rule=SGD(1.0), consistency=BSP(backup=1))

    def work(comm, kv):
        kv.push([0], torch.full((1, 1), [3.0, -2.0, -1.0, 8.0][comm.rank]), "t")
        comm.compute([1.0, 1.0, 1.0, 9.0][comm.rank])
        kv.clock()
    assert run(4, table, work).results[4]["rows"]["t"].tolist() == [[0.0]]


def test_backups_under_loss_and_over_servers():
    """Every seed ends, nothing is refused; each server dropped at most one worker's pushes of a round."""
    for seed in (1, 2, 4, 6):
        durations = np.random.default_rng(seed).exponential(1e-4, (4, 6)).tolist()
        done = backup_job(BSP(backup=1), durations, servers=2, link=Link(), faults=misfortune(seed),
                          settings={"retry_s": 1e-4})
        assert all(server["stats"]["refused"] == 0 for server in done.results[4:])
        sums = [server["rows"]["t"][0, 0] for server in done.results[4:]]
        assert sums[0] == pytest.approx(-24, rel=1e-6)                  # every round's mean is 1, whoever was late


def test_a_late_worker_says_which_rounds_it_left_out():
    """It joins the open round also where it had nothing to push, and its next clock letter names that round alone."""
    table, letters = TableConfig("t", 1, 1, rule=SGD(1.0), consistency=BSP(backup=1)), []

    def work(comm, kv):
        post, clocks = comm.post, []

        def spy(dst, kind, meta=None, *args, **kwargs):
            if kind == "clock" and comm.rank == 2:
                letters.append(dict(meta))
            post(dst, kind, meta, *args, **kwargs)
        comm.post = spy
        while kv.current_clock < 5:
            comm.compute(3.5 if comm.rank == 2 and not clocks else 1.0)
            clocks.append(kv.clock())
        return clocks
    assert run(3, table, work).results[2] == [3, 4, 5]
    assert letters == [{"c": 1}, {"c": 4, "j": 3}, {"c": 5}]


def test_a_round_that_a_worker_left_out_does_not_count_it():
    clocks = Clocks(range(3), {1})
    clocks.advance(0, 3)
    assert not clocks.advance(2, 3, 2)                      # of rounds 0 to 2, worker 2 did the last alone
    assert clocks.level(1) == 0
    assert [clocks.ended(2, round_) for round_ in range(4)] == [False, False, True, False]
    clocks.advance(1, 1)
    assert clocks.level(1) == 1                             # round 0: of 0 and 1; round 1 waits for worker 1
    clocks.advance(1, 2)
    assert clocks.level(1) == 3                             # round 1 of 0 and 1, round 2 of 0 and 2
    assert clocks.level(0) == 2


def test_those_left_go_on_when_the_others_have_left():
    durations = [[1.0] * 3, [1.0] * 3, [2.5, 2.5, 7.0]]
    done = backup_job(BSP(backup=2), durations)
    assert [moment_s for _, moment_s in done.results[0]] == [1.0, 2.0, 3.0]
    assert [clock for clock, _ in done.results[2]] == [2, 3]            # its round 0 ended in round 2, which it did


def test_fewer_left_than_a_round_waits_for():
    """With one backup of three, two must end a round; once two have left, the third is all there is."""
    done = backup_job(BSP(backup=1), [[1.0] * 3, [1.0] * 3, [2.5, 2.5, 7.0]])
    assert [clock for clock, _ in done.results[2]] == [2, 3]
    table = TableConfig("t", 1, 1, rule=SGD(1.0), consistency=BSP(backup=1))

    def work(comm, kv):
        for _ in range(4 if comm.rank == 2 else 1):
            kv.push([0], torch.ones(1, 1), "t")
            kv.clock()
        return int(kv.wait(kv.pull([0], "t")))
    assert run(3, table, work).results[2] <= -3 * 3         # a mean of 1, times three, in each round of its own


# ---- a model for each range ---------------------------------------------------------------------------------------


RANGES = PerRange([(0, 4, BSP()), (4, 8, SSP(2)), (8, None, ASP())])


def test_each_range_keeps_its_own_promise():
    """Worker 0 is slow; worker 1 reads one range. What it sees and how long it takes is as under that range's model."""
    for keys, model in ((range(0, 4), BSP()), (range(4, 8), SSP(2)), (range(8, 11), ASP())):
        found = []
        for consistency in (RANGES, model):
            table = TableConfig("t", 1, 11, rule=SGD(1.0), consistency=consistency)

            def work(comm, kv, keys=keys):
                seen = []
                for _ in range(5):
                    rows = kv.wait(kv.pull(keys, "t")) if comm.rank else torch.zeros(1)
                    seen.append((comm.now(), rows[0].item()))
                    comm.compute(1.0 if comm.rank else 10.0)
                    kv.push(range(11), torch.ones(11, 1), "t")
                    kv.clock()
                return seen
            found.append(run(2, table, work, servers=2).results[1])
        assert found[0] == found[1], model
    assert found[0] == [(float(t), -t) for t in range(5)]               # ASP: its own pushes, no waiting


def test_a_history_of_ranges_and_hashed_keys():
    """A push is cut where models change, by keys also where rows lie elsewhere; each range's steps count from 1."""
    counted = []

    def rule(rows, grads, state, t):
        counted.append((len(rows), t))
        rows -= grads
    model = PerRange([(None, 6, SSP(3)), (6, None, BSP())])
    table = TableConfig("t", 1, None, rule=Custom(rule), consistency=model, partition=HashPartition(3))

    def program(comm):
        if comm.rank == 2:
            log = ServerLog()
            serve(comm, KVServer([table], 0, 1, range(2), recorder=log))
            return log.part()
        recorder = Recorder()
        with KVWorker(comm, [2], [table], recorder=recorder) as kv:
            for step in range(3):
                comm.compute(1e-3 * (1 + 9 * comm.rank))
                kv.push([-5, 3, 9, 2**40][step:], torch.ones(4 - step, 1), "t")
                kv.wait(kv.pull([-5, 3], "t"))
                kv.clock()
            kv.wait(kv.pull([9, 3, 2**40], "t"))
        return recorder.part()
    found = check(History.of(SimWorld(3).run(program).results), model)
    assert not found, found
    assert [t for rows, t in counted if rows and t > 3]                 # on arrival: six steps of two workers
    assert found.lead == 3                                              # as the looser range allows


def test_a_round_of_two_ranges_is_logged_as_two():
    model = PerRange([(0, 2, BSP()), (2, 4, SSP(0)), (4, None, SSP(1))])
    table = TableConfig("t", 1, 6, rule=SGD(1.0), consistency=model)

    def program(comm):
        if comm.rank == 2:
            log = ServerLog()
            serve(comm, KVServer([table], 0, 1, range(2), recorder=log))
            return log.part()
        recorder = Recorder()
        with KVWorker(comm, [2], [table], recorder=recorder) as kv:
            for _ in range(3):
                kv.push(range(6), torch.ones(6, 1), "t")
                kv.wait(kv.pull(range(6), "t"))
                kv.clock()
        return recorder.part()
    found = check(History.of(SimWorld(3).run(program).results), model)
    assert not found, found


def test_ranges_that_do_not_fit():
    for ranges, words in (([], "ranges is empty"), ([(0, 5, BSP()), (6, 9, ASP())], "where the one before ends"),
                          ([(5, 5, BSP())], "lo < hi"), ([(0, 5)], "needed"),
                          ([(0, 5, BSP(backup=1))], "share a table"),
                          ([(0, True, BSP())], "the bound True"), ([(0, 9, BoundedDelay(1))], "share a table"),
                          ([(0, None, BSP()), (None, 9, ASP())], "where the one before ends")):
        with pytest.raises(ValueError, match=words):
            PerRange(ranges)
    for num_rows, ranges in ((9, [(0, 8, BSP())]), (9, [(1, None, BSP())]), (None, [(0, None, BSP())])):
        with pytest.raises(ValueError, match="table 't'"):
            KVServer([TableConfig("t", 1, num_rows, consistency=PerRange(ranges))], 0, 1, [0])
    assert RANGES.at(3) == BSP()
    assert RANGES.at(10**6) == ASP()
    assert PerRange([[0, 4, BSP()], [4, 8, SSP(2)], [8, None, ASP()]]) == RANGES


# ---- clocks of ranges ---------------------------------------------------------------------------------------------


def test_a_server_knows_who_last_updated_which_keys():
    table = TableConfig("t", 1, 12, rule=AdaGrad(0.1), consistency=ASP())

    def work(comm, kv):
        for step in range(3):
            if comm.rank == 0:
                kv.push(range(2, 9), torch.ones(7, 1), "t")
            elif step == 1:
                kv.push([3, 4, 5, 11], torch.ones(4, 1), "t")
            kv.clock()
    done = run(2, table, work, servers=2)
    assert done.results[2]["ranges"]["t"] == [(0, 2, {}), (2, 3, {0: 2}), (3, 6, {0: 2, 1: 1})]
    assert done.results[3]["ranges"]["t"] == [(6, 9, {0: 2}), (9, 11, {}), (11, 12, {1: 1})]
    with pytest.raises(ValueError, match="range_clocks=True"):
        KVServer([table], 0, 1, [0]).range_clocks("t")
    with pytest.raises(ValueError, match="'u'"):
        KVServer([table], 0, 1, [0], range_clocks=True).range_clocks("u")


# ---- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "words"), [
    (lambda: BSP(backup=-1), "backup=-1"), (lambda: BSP(backup=True), "backup=True"),
    (lambda: BoundedDelay(-1), "tau=-1"), (lambda: BoundedDelay(0.5), "tau=0.5"),
    (lambda: EASGD(0.0, 1), "alpha=0.0"), (lambda: EASGD(1.0, 1), "alpha=1.0"), (lambda: EASGD(0.5, 0), "every=0"),
])
def test_models_that_cannot_be(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(("model", "words"), [
    (BSP(backup=3), "backup=3 with 3 workers"), (EASGD(0.5, 1), "alpha=0.5 with 3 workers; below 2 / .3 . 1. = 0.5")])
def test_models_that_do_not_fit_the_number_of_workers(model, words):
    with pytest.raises(ValueError, match=words):
        KVServer([TableConfig("t", 1, 2, consistency=model)], 0, 1, range(3))


def test_a_worker_alone_may_have_no_backup_but_runs_under_every_model():
    for model in (BSP(), SSP(1), ASP(), BoundedDelay(0), EASGD(0.9, 1), RANGES):
        table = TableConfig("t", 1, 9, rule=SGD(1.0), consistency=model)

        def work(comm, kv):
            kv.push(range(9), torch.ones(9, 1), "t")
            kv.clock()
            return kv.wait(kv.pull([0, 8], "t"))[:, 0].tolist()
        assert run(1, table, work).results[0] == [-1, -1], model


def test_a_front_that_never_moves_is_a_deadlock(monkeypatch):
    monkeypatch.setattr("pslab.ps.clocks.Clocks._advance_front", lambda self, backup: None)
    with pytest.raises(Deadlock):
        backup_job(BSP(backup=1), [[1.0] * 2] * 3)
