"""Histories by hand, sets, values beside the sequential program, real processes, and what recording costs."""

import numpy as np
import pytest
import torch
from ps_history_job import ROWS, final_rows, job, misfortune, play

from pslab.comm import ProcessWorld, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, BoundedDelay, Integers, KVServer, KVWorker, TableConfig, serve
from pslab.ps.history import History, Marks, Op, Recorder, ServerLog, check, check_sequential
from pslab.ps.rounds import Rounds
from pslab.ps.shard import Shard
from pslab.ps.vector_clock import VectorClock

# ---- marks --------------------------------------------------------------------------------------------------------


def test_marks_are_read_back_whatever_was_added():
    """Any pushes, each 0 to 7 times, in float32: exactly those come back."""
    marks, rng = Marks(3, 19), np.random.default_rng(0)
    assert marks.dim == 9
    for _ in range(50):
        times = {(worker, number): int(rng.integers(0, 8)) for worker in range(3) for number in range(19)}
        row = np.zeros(marks.dim, np.float32)
        for (worker, number), often in times.items():
            for _ in range(often):
                row -= marks.vals(worker, number, 1)[0]
        assert marks.read(row) == {write: often for write, often in times.items() if often}
    assert Marks(2, 8, factor=1.0).vals(1, 2, 4).tolist() == [[0, 64]] * 4
    for row, words in (([0.5, 0], "0.5 in column 0"), ([-1, 0], "-1 in column 0"), ([0, 2.0**24], "in column 1"),
                       ([0, np.nan], "nan in column 1"), ([1], "shape")):
        with pytest.raises(ValueError, match=words):
            Marks(2, 8).read(row)
    for worker, number in ((2, 0), (0, 8), (-1, 0)):
        with pytest.raises(ValueError, match=f"write {number} of worker {worker}"):
            Marks(2, 8).vals(worker, number, 1)


# ---- by hand ------------------------------------------------------------------------------------------------------


def by_hand(*ops, final=None):
    """A history of (kind, worker, clock, start, end, more); keys are always (0,)."""
    counts, made = {}, []
    for kind, worker, clock, start_s, end_s, *more in ops:
        op = Op(kind, worker, clock, start_s, end_s, "" if kind in ("clock", "bye") else "t", (0,))
        if kind in ("push", "set"):
            op.number = counts[worker] = counts.get(worker, -1) + 1
        elif kind == "pull":
            op.saw = {0: dict.fromkeys(more[0], 1)}
        made.append(op)
    return History(made, final=None if final is None else {"t": {0: dict.fromkeys(final, 1)}})


def rules(history, model=None, **how):
    return check(history, model or ASP(), final=history.final is not None, **how).rules


def test_clocks_count_calls_of_clock():
    right = by_hand(("pull", 0, 0, 0, 1, []), ("clock", 0, 1, 1, 2), ("clock", 0, 2, 2, 3), ("push", 0, 2, 3, 4))
    assert not rules(right)
    for last in (("clock", 0, 1, 2, 3), ("clock", 0, 3, 2, 3), ("push", 0, 0, 2, 3), ("push", 0, 2, 2, 3)):
        assert rules(by_hand(("pull", 0, 0, 0, 1, []), ("clock", 0, 1, 1, 2), last)) == {"clock"}
    again = by_hand(("pull", 0, 4, 0, 1, []), ("clock", 0, 5, 1, 2))                  # a worker that started again
    assert not rules(again)


def test_a_push_is_not_seen_before_it_is_begun():
    assert not rules(by_hand(("push", 1, 0, 3, 5), ("pull", 0, 0, 2, 4, [(1, 0)])))
    found = check(by_hand(("push", 1, 0, 3, 5), ("pull", 0, 0, 1, 2, [(1, 0)])), ASP(), final=False)
    assert str(found) == ("worker 0, clock 0, key 0 of table 't': expected no push before it was begun; "
                          "seen: push 0 of worker 1 (its clock 0), begun 1 s later [sum]")


def test_fresh_demands_what_was_acknowledged():
    history = by_hand(("push", 1, 0, 0, 1), ("pull", 0, 0, 2, 3, []))
    assert not rules(history)
    assert rules(history, fresh=True) == {"fresh"}
    assert not rules(by_hand(("push", 1, 0, 0, 2.5), ("pull", 0, 0, 2, 3, [])), fresh=True)


def test_own_writes_under_asp_where_letters_may_overtake():
    history = by_hand(("push", 0, 0, 0, None), ("pull", 0, 0, 2, 3, []))
    assert rules(history) == {"own"}
    history.may_overtake = True
    assert not rules(history)
    assert rules(history, own=True) == {"own"}
    assert rules(history, SSP(1)) == {"own"}
    assert not rules(history, BSP())


def test_a_pull_under_way_is_no_earlier_read():
    """Of two pulls that overlap, neither comes first; one that ended before the other began does."""
    saw = ("pull", 0, 0, 0, 1, [(1, 0)])
    push = ("push", 1, 0, 0, 1)
    assert rules(by_hand(push, saw, ("pull", 0, 0, 2, 3, []))) == {"monotonic"}
    assert not rules(by_hand(push, saw, ("pull", 0, 0, 0.5, 3, [])))
    assert rules(by_hand(push, saw, ("pull", 0, 0, 0.5, 3, [(1, 0)]), ("pull", 0, 0, 4, 5, []))) == {"monotonic"}


def test_sets_overwrite():
    """set 0 of worker 1 from second 2 to 3: what ended before is gone, what came after is there."""
    start = (("push", 0, 0, 0, 1), ("set", 1, 0, 2, 3))
    late = ("push", 0, 0, 4, 5)
    assert not rules(by_hand(*start, late, ("pull", 0, 0, 6, 7, [(1, 0), (0, 1)]), final=[(1, 0), (0, 1)]))
    assert rules(by_hand(*start, late, ("pull", 0, 0, 6, 7, [(1, 0)]), final=[(1, 0), (0, 1)])) == {"own"}
    assert rules(by_hand(*start, late, ("pull", 0, 0, 6, 7, [(1, 0), (0, 1)]), final=[(1, 0)])) == {"final"}
    assert rules(by_hand(*start, ("pull", 2, 0, 6, 7, [(1, 0)]), final=[(0, 0)])) == {"final"}
    both = by_hand(*start, ("pull", 2, 0, 6, 7, [(1, 0), (0, 0)]), final=[(1, 0), (0, 0)])
    assert rules(both) == {"set"}
    assert not rules(both, BSP(), reached=False) & {"set"}          # a round's step comes after it
    twice = (("set", 1, 0, 0, 1), ("set", 1, 0, 2, 3))
    assert rules(by_hand(*twice, ("pull", 0, 0, 4, 5, [(1, 0)]), final=[(1, 1)])) == {"bound"}
    assert not rules(by_hand(*twice, ("pull", 0, 0, 4, 5, [(1, 1)]), final=[(1, 1)]))
    assert not rules(by_hand(*twice, ("pull", 0, 0, 2, 5, [(1, 0)]), final=[(1, 1)]))       # while it is under way
    assert rules(by_hand(*twice, ("pull", 0, 0, 4, 5, [(1, 1)]), final=[(1, 0)])) == {"final"}
    assert rules(by_hand(*twice, ("pull", 0, 0, 4, 5, [(1, 0), (1, 1)]), final=[(1, 1)])) == {"set"}


def test_a_round_drops_at_most_the_backup_workers():
    ops = [op for worker in range(3) for op in (("push", worker, 0, 0, 1), ("clock", worker, 1, 1, 2))]
    two = by_hand(*ops, ("pull", 0, 1, 3, 4, [(0, 0), (2, 0)]), final=[(0, 0), (2, 0)])
    one = by_hand(*ops, ("pull", 0, 1, 3, 4, [(0, 0)]), final=[(0, 0)])
    assert not rules(two, BSP(backup=1))
    assert not rules(one, BSP(backup=2))
    assert rules(one, BSP(backup=1)) == {"final"}
    assert rules(two, BSP()) == {"bound", "final"}


def test_what_proves_nothing_is_said():
    assert rules(by_hand(("push", 0, 0, 0, 1), final=[(0, 0)])) == {"empty"}
    found = check(by_hand(("pull", 0, 0, 0, 1, [])), ASP())
    assert str(found) == "the run: expected the rows at the end; seen: nobody recorded them [empty]"
    with pytest.raises(ValueError, match="no worker's part"):
        History.of([{"rows": [1]}])
    with pytest.raises(ValueError, match="begins='now'"):
        check(by_hand(), ASP(), begins="now")
    with pytest.raises(ValueError, match=r"\['t'\] as well"):
        check(by_hand(("push", 0, 0, 0, 1)), {"u": ASP()})


def test_a_worker_of_another_hand():
    """begin and end around its own calls; the server is a dict that every second time forgets what is added."""
    for forgets in (False, True):
        marks, moments, rows, parts = Marks(2, 8, factor=1.0), iter(range(100)), {0: 0.0, 1: 0.0}, []
        for worker in range(2):
            recorder = Recorder(marks, worker=worker, now=lambda moments=moments: float(next(moments)))
            for step in range(3):
                number = recorder.next_number("t")
                op = recorder.begin("push", step, "t", [0, 1])
                for key, row in zip(rows, marks.vals(worker, number, 2)):
                    rows[key] = rows[key] if forgets and step % 2 else rows[key] + row
                recorder.end(op)
                op = recorder.begin("pull", step, "t", [1, 0])
                recorder.end(op, [rows[1], rows[0]])
                recorder.end(recorder.begin("clock", step + 1))
            parts.append(recorder.part())
        found = check(History.of(parts, final={"t": [rows[0], rows[1]]}, marks={"t": marks}), ASP(), reached=True)
        assert found.rules == ({"own", "final"} if forgets else set()), found
        assert found.lead == 3


def test_findings_are_counted_and_cut():
    reads = [("pull", 0, 0, t, t + 1, [(5, 5)]) for t in range(30)]
    found = check(by_hand(*reads), ASP(), final=False, limit=3)
    assert len(found) == 3
    assert found.total == {"sum": 30}
    assert str(check(by_hand(("pull", 0, 0, 0, 1, [])), ASP(), final=False)).startswith("every promise is kept")


def test_vector_clocks_by_min_are_found(monkeypatch):
    history, _ = play(SSP(1), 0, stamps=True)
    assert not check(history, SSP(1))
    monkeypatch.setattr(VectorClock, "merge", lambda self, other: VectorClock(
        {**other, **{worker: min(clock, other.get(worker, clock)) for worker, clock in self.items()}}))
    history, _ = play(SSP(1), 0, stamps=True)
    monkeypatch.undo()
    found = check(history, SSP(1))
    assert found.rules == {"ranges"}
    assert "for its range; seen: {" in str(found[0])


# ---- sets on a server ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamps", [False, True])
@pytest.mark.parametrize("model", [SSP(1), ASP(), BSP()])
def test_sets_and_pushpulls_of_a_run(model, stamps, monkeypatch):
    marks = None if stamps else Marks(3, 12)
    table = TableConfig("t", 1 if stamps else marks.dim, 4, rule=SGD(1.0), consistency=model)

    def program(comm):
        if comm.rank == 3:
            log = ServerLog()
            server = KVServer([table], 0, 1, range(3), recorder=log)
            serve(comm, server)
            return log.part(), np.array(server.rows("t"))
        recorder = Recorder(marks)

        def vals(n, how=Marks.vals):
            return np.ones((n, 1), np.float32) if stamps else how(marks, comm.rank, recorder.next_number("t"), n)
        with KVWorker(comm, [3], [table], recorder=recorder) as kv:
            for step in range(4):
                comm.compute(1e-4 * (comm.rank + 1))
                kv.wait(kv.pushpull([3, 1], vals(2), "t"))
                if comm.rank == step % 3:
                    kv.wait(kv.set([1, 2], vals(2, Marks.row), "t"))
                kv.push([2], vals(1), "t")
                kv.wait(kv.pull([1, 0, 1, 2], "t"))
                kv.clock()
        return recorder.part()

    def found():
        run = SimWorld(4).run(program)
        final = None if stamps else {"t": run.results[3][1]}
        return check(History.of(run.results, final=final, marks=marks), model)
    right = found()
    assert not right, right
    if model == SSP(1):                                             # a set that leaves what was there before
        monkeypatch.setattr(ServerLog if stamps else Shard, "applied" if stamps else "assign", _add)
        assert "set" in found().rules


def _add(self, *args):
    if isinstance(self, ServerLog):
        table, _, writes, *more = args
        self._log.append([table, "push", [list(write) for write in writes], *(more or [None])])
    else:
        where, vals = args
        self.rows[where] += vals


# ---- values beside one process --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [SGD(1.0), AdaGrad(0.5)])
def test_bsp_equals_the_sequential_program_bit_for_bit(rule, monkeypatch):
    table = TableConfig("t", 2, ROWS, rule=rule, init=Integers(-9, 10, seed=3))

    def program(comm):
        if comm.rank >= 3:
            server = KVServer([table], comm.rank - 3, 2, range(3))
            serve(comm, server)
            return np.array(server.rows("t"))
        recorder, rng = Recorder(values=True), np.random.default_rng(comm.rank)
        with KVWorker(comm, [3, 4], [table], recorder=recorder) as kv:
            kv.wait(kv.set([2, 5], torch.tensor([[1.0, 2], [3, 4]]), "t"))      # every worker the same
            for _ in range(4):
                keys = rng.integers(0, ROWS, 5)
                kv.push(keys, rng.integers(-8, 9, (5, 2)).astype(np.float32), "t")
                kv.push(range(2, 4), rng.integers(-8, 9, (2, 2)).astype(np.float32), "t")
                kv.wait(kv.pull(rng.integers(0, ROWS, 6), "t"))
                kv.clock()
        return recorder.part()

    def found():
        run = SimWorld(5).run(program)
        return check_sequential(History.of(run.results[:3]), table, np.concatenate(run.results[3:]))
    right = found()
    assert not right, right
    assert right.facts["sequential"] == 3 * 4 * 6 + ROWS
    recorded, seen = Rounds.record, []
    monkeypatch.setattr(Rounds, "record", lambda *args: seen.append(args) or (len(seen) == 9 or recorded(*args)))
    assert "as one process has it after the rounds before; seen: [" in str(found())


def test_values_must_have_been_kept():
    history, _ = play(BSP(), 1)
    with pytest.raises(ValueError, match="values=True"):
        check_sequential(history, TableConfig("t", 1, ROWS))


# ---- real processes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [BSP(), SSP(2), ASP(), BoundedDelay(1)])
def test_histories_of_real_processes(processes, model):
    """The same job, judged the same way; what depends on who is fast is not asked for."""
    for stamps in (False, True):
        marks = None if stamps else Marks(2, 10)
        table = TableConfig("t", 1 if stamps else marks.dim, ROWS, rule=SGD(1.0), consistency=model)
        run = processes.run(job, 2, table, 5, [[0.0] * 5] * 2, marks, {})
        final = None if stamps else {"t": final_rows(run, 2)}
        found = check(History.of(run.results, final=final, marks=marks), model)
        assert not found, found
        assert sum(found.facts.values()) > 500


@pytest.fixture(scope="module")
def processes():
    with ProcessWorld(4) as world:
        yield world


# ---- what it costs --------------------------------------------------------------------------------------------------


def traffic(worker_log, server_log):
    table = TableConfig("t", 1, 6, rule=SGD(1.0), consistency=SSP(1))

    def program(comm):
        if comm.rank == 2:
            return serve(comm, KVServer([table], 0, 1, [0, 1], recorder=ServerLog() if server_log else None))
        with KVWorker(comm, [2], [table], recorder=Recorder() if worker_log else None) as kv:
            for _ in range(4):
                kv.push([1, 4], torch.ones(2, 1), "t")
                kv.wait(kv.pull(range(6), "t"))
                kv.clock()
        return kv.stats()
    run = SimWorld(3).run(program)
    return run.ledger.counts.sum(), run.results, run.seconds


def test_off_it_costs_nothing_and_at_a_worker_no_byte():
    off, worker, both = traffic(False, False), traffic(True, False), traffic(True, True)
    assert worker[0] == off[0]
    assert worker[1:] == off[1:]
    assert both[0] > off[0]                             # the length of the log goes out with each answer


def test_a_cache_needs_marks():
    with pytest.raises(ValueError, match="marks only"):
        Recorder().open(0, None, may_overtake=False, cached=True)
    table, model = None, SSP(2)
    marks = Marks(2, 8)
    table = TableConfig("t", marks.dim, 4, rule=SGD(1.0), consistency=model)

    def program(comm):
        if comm.rank == 2:
            server = KVServer([table], 0, 1, [0, 1])
            serve(comm, server)
            return np.array(server.rows("t"))
        recorder = Recorder(marks)
        with KVWorker(comm, [2], [table], recorder=recorder, cache_rows=4) as kv:
            for _ in range(6):
                kv.wait(kv.pull([0, 2, 3], "t"))
                comm.compute(1e-3 * (1 + comm.rank))
                kv.push([2, comm.rank], marks.vals(comm.rank, recorder.next_number("t"), 2), "t")
                kv.clock()
        assert kv.cache_stats()["t"]["unasked"]
        return recorder.part()
    run = SimWorld(3).run(program)
    found = check(History.of(run.results[:2], final={"t": run.results[2]}, marks=marks), model)
    assert not found, found


def test_misfortune_is_there():
    """The job's own faults: letters are lost and sent again in these runs."""
    _, run = play(SSP(1), 1, faults=misfortune(1))
    assert run.ledger.total("retry")
