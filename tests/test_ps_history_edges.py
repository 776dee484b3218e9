"""Histories of runs with something unusual: bfloat16, no keys, a worker that starts again, sets beside backups."""

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.ps import BSP, SGD, AdaGrad, BoundedDelay, Integers, KVServer, KVWorker, TableConfig, serve
from pslab.ps.history import History, Op, Recorder, ServerLog, check, check_sequential


def run(table, work, workers=2):
    """work(comm, kv, recorder) on every worker beside one server: (history, the server's rows)."""
    def program(comm):
        if comm.rank == workers:
            log = ServerLog()
            server = KVServer([table], 0, 1, range(workers), recorder=log, range_clocks=True)
            serve(comm, server)
            return log.part({"t": server.range_clocks("t")}), np.array(server.rows("t"))
        recorder = Recorder(values=True)
        kv = KVWorker(comm, [workers], [table], recorder=recorder)
        (work(comm, kv, recorder) or kv).goodbye()
        return recorder.part()
    results = SimWorld(workers + 1, engine="greenlets", trace=False).run(program).results
    return History.of([*results[:-1], results[-1][0]]), results[-1][1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rule", [SGD(1.0), AdaGrad(0.3)])
def test_first_values_and_bfloat16_are_those_of_one_process(rule, dtype):
    table = TableConfig("t", 2, 5, rule=rule, dtype=dtype, init=Integers(-300, 300, seed=2))

    def work(comm, kv, recorder):
        rng = np.random.default_rng(comm.rank)
        kv.init("t", [1, 3], np.array([[1.1, 2], [3, 4.4]], np.float32))        # every worker the same
        for _ in range(3):
            kv.push(rng.integers(0, 5, 4), rng.integers(-9, 9, (4, 2)).astype(np.float32), "t")
            kv.wait(kv.pull([4, 1, 1, 3], "t"))
            kv.clock()
    history, rows = run(table, work)
    found = check_sequential(history, table, rows)
    assert not found, found
    assert not check(history, BSP())
    rows[1, 0] += 1
    assert "[sequential]" in str(check_sequential(history, table, rows))


def test_requests_of_no_keys_are_over_at_once():
    none = np.empty(0, np.int64)

    def work(comm, kv, recorder):
        for step in range(3):
            kv.push(none, np.empty((0, 1), np.float32), "t")
            kv.pull(none, "t")
            kv.push([step], np.ones((1, 1), np.float32), "t")
            kv.wait(kv.pull([step], "t"))
            kv.clock()
    history, _ = run(TableConfig("t", 1, 4, consistency=BoundedDelay(0)), work)
    found = check(history, BoundedDelay(0))
    assert not found, found
    assert all(op.end_s is not None for op in history.ops if op.kind in ("push", "pull"))


@pytest.mark.parametrize("model", [BSP(), BoundedDelay(0)])
def test_what_a_worker_gave_up_may_be_lost(model):
    """Worker 0 asks twice, dies, and starts again: nobody can say whether that push arrived."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=model)

    def work(comm, kv, recorder):
        if comm.rank == 0:
            posted, comm.post = comm.post, lambda *args, **more: None           # what it asks last is lost with it
            kv.push([0, 3], np.ones((2, 1), np.float32), "t")
            kv.pull([0], "t")
            comm.post = posted
            kv = KVWorker(comm, [2], [table], 1, recorder=recorder)
        for step in range(3):
            kv.push([step], np.ones((1, 1), np.float32), "t")
            kv.clock()
            kv.wait(kv.pull([0, 1, 2], "t"))
        return kv
    history, rows = run(table, work)
    found = check(history, model)
    assert not found, found
    assert rows[:, 0].tolist() == [-2, -2, -2, 0]
    for op in history.ops:
        op.given_up_s = None                                                    # had it not started again ...
    assert check(history, model).rules == ({"bound", "ranges"} if model == BSP() else {"delay", "own", "ranges"})


def test_what_a_set_overwrote_was_not_dropped_from_its_round():
    def history(*ops):
        made = [Op(kind, worker, clock, start_s, start_s + 1, "" if kind == "clock" else "t", (0,), number)
                for kind, worker, clock, start_s, number in ops]
        made[-1].saw = {0: {(0, 0): 1, (1, 0): 1}}
        return History(made, final={"t": {0: {(1, 1): 1}}})
    pushes = [("push", 0, 0, 0, 0), ("push", 1, 0, 0, 0), ("clock", 0, 1, 1, -1)]
    overwritten = history(*pushes, ("clock", 1, 1, 1, -1), ("set", 1, 1, 6, 1), ("pull", 0, 1, 3, -1))
    assert not check(overwritten, BSP(backup=1))
    early = history(("set", 1, 0, -3, 1), *pushes, ("clock", 1, 1, 1, -1), ("pull", 0, 1, 3, -1))
    assert check(early, BSP(backup=1)).rules == {"bound", "final"}


def test_a_range_may_end_at_the_last_key_there_is():
    table = TableConfig("t", 1, None, rule=SGD(1.0), init=Integers(0, 9, seed=1))
    last = range(2**63 - 2, 2**63)
    assert np.array_equal(table.initial_rows(last), table.initial_rows(np.array([2**63 - 2, 2**63 - 1])))

    def program(comm):
        if comm.rank == 2:
            server = KVServer([table], 0, 1, [0, 1])
            serve(comm, server)
            return server.keys("t").tolist()
        with KVWorker(comm, [2], [table], cache_rows=3 * comm.rank) as kv:
            kv.push(last, torch.ones(2, 1) * (comm.rank + 1), "t")
            kv.clock()
            return kv.wait(kv.pull(last, "t")).numpy()
    results = SimWorld(3).run(program).results
    assert results[2] == list(last)
    assert np.array_equal(results[0], table.initial_rows(last) - 3)
    assert np.array_equal(results[0], results[1])
