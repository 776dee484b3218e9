"""set, pushpull, the window of requests, waiting in any order; and what every bad input does."""

import math

import numpy as np
import pytest
import torch
from ps_jobs import check_stats, final_rows, job

from pslab.comm import Faults, Link, Mail, SimWorld
from pslab.ps import (
    ASP,
    BSP,
    SGD,
    SSP,
    AdaGrad,
    HashPartition,
    Integers,
    KVServer,
    KVWorker,
    TableConfig,
    serve,
)

DIM = 4


def table(consistency=None, rule=None, name="t", rows=30, **more):
    return TableConfig(name, DIM, rows, rule or SGD(1.0), consistency or ASP(), init=Integers(-9, 10, seed=6), **more)


def only(work, config, servers=1, link=None, faults=None, **settings):
    """One worker and its servers; (its result, each server's rows, the run)."""
    def program(comm):
        if comm.rank:
            server = KVServer([config], comm.rank - 1, servers, [0])
            serve(comm, server)
            return np.array(server.rows("t")), server.stats()
        with KVWorker(comm, range(1, 1 + servers), [config], **settings) as kv:
            return work(kv)
    run = SimWorld(1 + servers, link=link or Link(), faults=faults).run(program)
    return run.results[0], run.results[1:], run


def ones(n, value=1.0):
    return torch.full((n, DIM), float(value))


# ---- set ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize("num_rows", [30, None])
def test_set_overwrites_at_once_and_is_no_gradient(num_rows, servers):
    """Under AdaGrad and BSP: no rule, no round; then a push steps from the set values with fresh state."""
    config = table(BSP(), AdaGrad(0.5), rows=num_rows, partition=HashPartition() if num_rows is None else
                   TableConfig("x", 1, 1).partition)
    vals = torch.arange(12.0).reshape(3, DIM)

    def work(kv):
        kv.wait(kv.push([3, 8], ones(2), "t"))
        kv.clock()                                          # 3 and 8 have state now
        kv.wait(kv.set([8, 29, 3], vals, "t"))
        seen = kv.wait(kv.pull([3, 8, 29], "t")).clone()
        kv.push([3, 29], ones(2, 2), "t")
        kv.set(slice(5, 7), ones(2, 7), "t")
        kv.clock()
        return seen, kv.wait(kv.pull([3, 5, 6, 29], "t")), kv.stats()["t"]
    (seen, after, counts), _, _ = only(work, config, servers)
    assert torch.equal(seen, vals[[2, 0, 1]])
    assert torch.equal(after, torch.stack([vals[2] - 0.5, *ones(2, 7), vals[1] - 0.5]))
    assert (counts["sets"], counts["pushes"], counts["inits"]) == (2, 2, 0)


def test_of_two_sets_the_last_to_arrive_stays_and_of_two_inits_the_first():
    def work(kv):
        kv.init("t", [1, 2], ones(2, 1))
        kv.init("t", [2, 3], ones(2, 2))
        kv.set([2], ones(1, 5), "t")
        kv.wait(kv.set([2], ones(1, 6), "t"))
        kv.init("t", [2], ones(1, 9))
        return kv.wait(kv.pull(range(1, 4), "t"))[:, 0].tolist()
    for rows in (30, None):
        assert only(work, table(rows=rows))[0] == [1, 6, 2]


# ---- pushpull -------------------------------------------------------------------------------------------------------

MODELS = [BSP(), SSP(0), SSP(1), SSP(math.inf), ASP()]


def pairs(comm, kv, together):
    """Rounds of a push and a pull of the same keys, as one request or as two."""
    seen = []
    for step in range(5):
        rng = np.random.default_rng([comm.rank, step])
        for keys in (rng.integers(0, 30, rng.integers(0, 9)), range(3 * step, 3 * step + 4)):
            vals = rng.integers(-8, 9, (len(keys), DIM)).astype(np.float32)
            if together:
                asked = kv.pushpull(keys, vals, "t")
            else:
                kv.push(keys, vals, "t")
                asked = kv.pull(keys, "t")
            seen.append(kv.wait(asked).clone())
        kv.clock()
    return seen


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("rows", [30, None])
def test_a_pushpull_is_a_push_and_then_a_pull(model, rows):
    config = table(model, rows=rows, partition=HashPartition(1))
    workers = 2 if isinstance(model, BSP) or model == SSP(0) else 1     # alone, where others' pushes come at any time
    for servers in (1, 3):
        one, two = (SimWorld(workers + servers).run(job, workers, [config], pairs, together)
                    for together in (True, False))
        for rank in range(workers):
            assert all(map(torch.equal, one.results[rank]["result"], two.results[rank]["result"]))
        assert all(np.array_equal(a["rows"]["t"], b["rows"]["t"])
                   for a, b in zip(one.results[workers:], two.results[workers:]))
        check_stats(one, workers)
        counts = [result["stats"]["tables"]["t"] for result in one.results[workers:]]
        assert sum(c["pushes"] for c in counts) == sum(c["pulls"] for c in counts) > 0
        assert one.ledger.total("vals") == two.ledger.total("vals")
        assert 2 * one.ledger.total("keys") == two.ledger.total("keys")
        assert one.ledger.total("header") < two.ledger.total("header")
        assert one.ledger.messages() < two.ledger.messages()


def test_pushpull_counts_once_though_letters_are_lost_doubled_and_late():
    """Under ASP on one server every answer must hold all the worker's own pushes so far, each once."""
    def work(kv):
        seen = []
        for step in range(30):
            seen.append(kv.pushpull([step % 3], ones(1, -1.0), "t"))
        return [kv.wait(asked)[0, 0].item() for asked in seen]
    first = table().initial_rows()[:, 0]
    for seed in range(6):
        faults = Faults(seed=seed, drop=0.2, duplicate=0.2, reorder_s=200e-6)
        for model in (SSP(math.inf), SSP(2)):
            seen, [(rows, stats)], _ = only(work, table(model), faults=faults, retry_s=1e-4)
            assert rows[:3, 0].tolist() == (first[:3] + 10).tolist(), seed
            assert stats["tables"]["t"]["pushes"] == 30
            for step, value in enumerate(seen):
                assert first[step % 3] + step // 3 + 1 <= value <= first[step % 3] + 10, (seed, step)


def test_a_pushpull_that_comes_again_is_not_taken_for_a_waiting_pull_of_its_number():
    server = KVServer([table(ASP()), table(BSP(), name="b")], 0, 1, [0, 1])

    def send(kind, tensors, **meta):
        letter = Mail(0, kind, {"q": 1, "n": 0, "c": 1, "r": [4, 1], **meta}, tensors)
        return [mail.kind for _, mail in server.handle(letter, 0.0)]
    server.handle(Mail(0, "clock", {"c": 1}, []), 0.0)
    assert send("pull", [], t=1) == []                      # worker 1 is behind: it waits
    for _ in range(3):
        assert send("pushpull", [np.ones((1, DIM), np.float32)], t=0) == ["rows"]
    assert server.rows("t")[4, 0] == table().initial_rows()[4, 0] - 1


def test_pushpull_through_a_cache_and_into_out():
    out = torch.zeros(3, DIM)

    def work(kv):
        kv.wait(kv.pull([4, 5], "t"))
        return kv.wait(kv.pushpull([5, 4, 5], ones(3), "t", out=out)) is out
    first = torch.from_numpy(table().initial_rows())
    for cache_rows in (0, 10):
        assert only(work, table(), cache_rows=cache_rows)[0]
        assert torch.equal(out, first[[5, 4, 5]] - torch.tensor([[2.0], [1.0], [2.0]]))


# ---- waiting and the window -----------------------------------------------------------------------------------------


def test_wait_gives_the_result_of_its_timestamp_in_any_order():
    def work(kv):
        asked = {}
        for i in range(12):
            if i % 3 == 0:
                asked[kv.push([i], ones(1), "t")] = None
            elif i % 3 == 1:
                asked[kv.pull([i, 29 - i], "t")] = [i, 29 - i]
            else:
                asked[kv.pushpull([i], ones(1), "t")] = [i]
        order = sorted(asked, key=lambda timestamp: timestamp * 7 % 13)
        return {timestamp: (asked[timestamp], kv.wait(timestamp)) for timestamp in order}
    first = torch.from_numpy(table().initial_rows())
    for servers in (1, 3):
        results = only(work, table(), servers)[0]
        assert sorted(results) == list(range(1, 13))
        for timestamp, (keys, rows) in results.items():
            if keys is None:
                assert rows is None
            else:
                assert torch.equal(rows, first[keys] - int(len(keys) == 1)), (timestamp, keys)


LATE = Link(latency_s=1e-3, bandwidth_Bps=math.inf)


@pytest.mark.parametrize("window", [None, 1, 3, 8])
def test_a_window_bounds_the_requests_without_an_answer(window):
    """A round trip takes 2 ms here: 24 requests take 2 ms for every `window` of them, and none is lost or reordered."""
    def work(kv):
        begun, asked, most = [], [], 0
        for i in range(24):
            asked.append(kv.push([i], ones(1, i), "t") if i % 2 else kv.pull([i], "t"))
            begun.append(round(kv.comm.now() * 1e3))
            most = max(most, len(kv._inbox.open))
        return begun, most, [kv.wait(timestamp) for timestamp in asked]
    (begun, most, results), [(rows, _)], _ = only(work, table(), link=LATE, window=window)
    w = window or 24
    assert begun == [2 * (i // w) for i in range(24)]
    assert most == w
    first = table().initial_rows()
    assert all(torch.equal(results[i], torch.from_numpy(first[[i]])) for i in range(0, 24, 2))
    first[1:24:2] -= np.arange(1, 24, 2)[:, None]
    assert np.array_equal(rows, first)


def test_clock_waits_for_the_acknowledgements_of_own_writes_and_not_for_pulls():
    for ask, waits in ((lambda kv: kv.push([1], ones(1), "t"), True), (lambda kv: kv.set([1], ones(1), "t"), True),
                       (lambda kv: kv.pushpull([1], ones(1), "t"), True), (lambda kv: kv.pull([1], "t"), False)):
        def work(kv, ask=ask):
            ask(kv)
            kv.clock()
            return round(kv.comm.now() * 1e3)
        assert only(work, table(), 2, link=LATE)[0] == (2 if waits else 0)


def test_a_window_of_one_ends_in_every_mode_where_pulls_wait_for_others():
    for model in MODELS:
        def program(comm, model=model):
            config = table(model)
            if comm.rank >= 3:
                return serve(comm, KVServer([config], comm.rank - 3, 2, range(3)))
            with KVWorker(comm, [3, 4], [config], window=1) as kv:
                for step in range(4):
                    comm.compute(1e-5 * (comm.rank + 1) * (step % 2))
                    asked = [kv.pull(range(30), "t"), kv.push([step, 29], ones(2), "t"),
                             kv.pushpull([7, 20], ones(2), "t"), kv.pull([1, 25], "t")]
                    for timestamp in reversed(asked):
                        kv.wait(timestamp)
                    kv.clock()
        assert sum(stats["tables"]["t"]["pushes"] for stats in SimWorld(5).run(program).results[3:]) == 3 * 4 * 4


@pytest.mark.parametrize("window", [0, -1, 2.0, True])
def test_windows_are_whole_numbers_from_1(window):
    def program(comm):
        if comm.rank == 0:
            with pytest.raises(ValueError, match=f"window={window!r}; a whole number from 1, or None"):
                KVWorker(comm, [1], [table()], window=window)
    SimWorld(2).run(program)


def test_nothing_passes_between_workers():
    tables = [table(BSP(), name="a"), table(SSP(2), AdaGrad(0.5), "b", None, partition=HashPartition(2)),
              table(ASP(), name="c", dtype="bfloat16")]

    def work(comm, kv):
        for step in range(4):
            for config in tables:
                kv.push([step, comm.rank, 7], ones(3), config.name)
                kv.wait(kv.pushpull(range(2, 9), ones(7), config.name))
                kv.wait(kv.set([20 + comm.rank], ones(1, step), config.name))
            kv.clock()
    run = SimWorld(5).run(job, 3, tables, work)
    between = [run.ledger.link(a, b) for a in range(3) for b in range(3) if a != b]
    assert between == [0] * 6
    assert [run.ledger.link(3, 4), run.ledger.link(4, 3)] == [0, 0]
    assert all(run.ledger.link(a, b) > 0 for a in range(3) for b in (3, 4))
    check_stats(run, 3)


# ---- bad input ------------------------------------------------------------------------------------------------------

REFUSED = {
    "negative key": (lambda kv: kv.push([3, -1], ones(2), "t"), "key -1 is out of range; its keys are 0..29"),
    "key beyond the end": (lambda kv: kv.pull([30], "t"), "key 30 is out of range; its keys are 0..29"),
    "range beyond the end": (lambda kv: kv.pull(range(25, 31), "t"), "0 <= lo <= hi <= 30"),
    "keys of floats": (lambda kv: kv.pull([1.0], "t"), "dtype float64; whole numbers"),
    "keys in two dimensions": (lambda kv: kv.pull([[1], [2]], "t"), r"shape \(2, 1\)"),
    "a row too few": (lambda kv: kv.push([1, 2], ones(1), "t"), r"2 keys of dim 4 need \(2, 4\)"),
    "rows too wide": (lambda kv: kv.push([1], torch.ones(1, 5), "t"), r"shape \(1, 5\)"),
    "rows of doubles": (lambda kv: kv.pushpull([1], ones(1).double(), "t"), "dtype float64; float32"),
    "a set names a key twice": (lambda kv: kv.set([4, 5, 4], ones(3), "t"), "1 keys twice; set gives each row one"),
    "a pushpull into a short out": (lambda kv: kv.pushpull([4, 4], ones(2), "t", out=ones(1)), r"float32\[2, 4\]"),
    "no such table": (lambda kv: kv.set([1], ones(1), "u"), "table='u' is unknown; allowed: 't'"),
    "no such timestamp": (lambda kv: kv.wait(7), "timestamp=7 is unknown"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_sends_nothing_and_loses_nothing(case):
    call, words = REFUSED[case]

    def work(kv):
        kv.push([2], ones(1), "t")
        with pytest.raises(ValueError, match=words):
            call(kv)
        kv.wait(kv.push([2], ones(1), "t"))
    _, [(rows, stats)], _ = only(work, table())
    want = table().initial_rows()
    want[2] -= 2
    assert np.array_equal(rows, want)
    assert (stats["tables"]["t"]["pushes"], stats["refused"]) == (2, 0)


@pytest.mark.parametrize("rows", [30, None])
@pytest.mark.parametrize("rule", [SGD(0.5), AdaGrad(0.5)], ids=["SGD", "AdaGrad"])
def test_nan_and_infinity_spoil_their_rows_and_no_other(rule, rows):
    bad = torch.ones(3, DIM)
    bad[0, 1], bad[1, 2], bad[2, 0] = math.nan, math.inf, -math.inf

    def work(kv):
        kv.push([5, 9, 11], bad, "t")
        kv.push([4, 9, 10], ones(3), "t")
        return kv.wait(kv.pull(range(30), "t"))
    seen = only(work, table(ASP(), rule, rows=rows), 1)[0].numpy()
    first = table().initial_rows()
    finite = np.isfinite(seen)
    assert np.argwhere(~finite).tolist()[0] == [5, 1]
    assert set(np.flatnonzero(~finite.all(axis=1))) <= {5, 9, 11}
    untouched = [i for i in range(30) if i not in (4, 5, 9, 10, 11)]
    assert seen[untouched].tobytes() == first[untouched].tobytes()
    assert np.array_equal(seen[[4, 10]], first[[4, 10]] - 0.5)
    assert np.array_equal(seen[5, [0, 2, 3]], first[5, [0, 2, 3]] - 0.5)        # nor the other columns, by these rules


@pytest.mark.parametrize("servers", [1, 3])
def test_duplicate_and_unsorted_keys_are_one_sum_a_row(servers):
    keys, vals = [9, 2, 9, 0, 29, 2, 9], torch.arange(28.0).reshape(7, DIM)

    def work(kv):
        kv.push(keys, vals, "t")
        kv.clock()
        return kv.wait(kv.pull([29, 9, 2, 9, 0], "t"))
    got = only(work, table(BSP()), servers)[0]
    want = torch.from_numpy(table().initial_rows()).index_add(0, torch.tensor(keys), vals, alpha=-1)
    assert torch.equal(got, want[[29, 9, 2, 9, 0]])


def test_two_pushes_of_a_worker_in_a_round_are_one_step_with_the_others():
    """AdaGrad would tell: its step for a + b is not that for a and then b."""
    def work(comm, kv):
        for value in range(1, 1 + (2 if comm.rank == 0 else 1)):
            kv.push([6], ones(1, value), "t")
        kv.clock()
        if comm.rank == 0:
            kv.push([6], ones(1, 3), "t")
        kv.clock()
    config = table(BSP(), AdaGrad(0.5))
    run = SimWorld(3).run(job, 2, [config], work)
    row = config.initial_rows()[6].astype(np.float64)
    assert np.allclose(final_rows(run, 2, "t")[6], row - 0.5 - 0.5 * 3 / math.sqrt(16 + 9), atol=1e-6)
    assert run.results[2]["stats"]["tables"]["t"]["steps"] == 2


def test_a_clock_that_goes_backwards_is_old_news_and_a_push_of_a_round_gone_by_is_refused():
    server = KVServer([table(BSP())], 0, 1, [0, 1])
    vals = np.ones((1, DIM), np.float32)

    def send(src, kind, tensors=(), **meta):
        return [(mail.kind, mail.meta) for _, mail in server.handle(Mail(src, kind, meta, list(tensors)), 0.0)]
    send(0, "push", [np.array([3]), vals.copy()], t=0, q=1, n=0, c=0)
    for worker in (0, 1):
        send(worker, "clock", c=2)
    rows = np.array(server.rows("t"))
    assert server.min_clock == 2
    assert send(0, "clock", c=1) == []
    assert send(0, "clock", c=0) == []
    assert server.min_clock == 2
    [(kind, meta)] = send(0, "push", [np.array([3]), vals.copy()], t=0, q=2, n=0, c=1)
    assert kind == "error"
    assert "push stamped 1 by worker 0, whose clock is 2" in meta["w"]
    [(kind, meta)] = send(0, "clock", c=-1)
    assert kind == "error"
    assert "c=-1; a whole number from 0" in meta["w"]
    assert np.array_equal(server.rows("t"), rows)


def test_zero_workers_and_zero_servers_are_refused_in_words():
    with pytest.raises(ValueError, match=r"workers=\[\]; at least one rank"):
        KVServer([table()], 0, 1, [])

    def program(comm):
        with pytest.raises(ValueError, match=r"servers=\[\]; at least one rank"):
            KVWorker(comm, [], [table()])
    SimWorld(1).run(program)


@pytest.mark.parametrize("rows", [2, None])
def test_more_servers_than_keys(rows):
    config = table(BSP(), rows=rows, partition=HashPartition(5))

    def work(comm, kv):
        kv.push([1, 0], ones(2, comm.rank + 1), "t")
        kv.clock()
        return kv.wait(kv.pull(range(2), "t"))
    run = SimWorld(8).run(job, 2, [config], work)
    want = config.initial_rows(range(2)) - 3
    assert all(np.array_equal(run.results[worker]["result"], want) for worker in range(2))
    assert sum(len(result["rows"]["t"]) for result in run.results[2:]) == 2


def test_rows_that_were_never_pushed_have_their_first_values_however_they_are_asked_for():
    config = table(rows=None, partition=HashPartition(2))

    def work(kv):
        return kv.wait(kv.pull([12, 3], "t")), kv.wait(kv.pull(range(2, 5), "t")), kv.wait(kv.pull([], "t")).shape
    some, line, none = only(work, config, 2)[0]
    first = config.initial_rows(range(30))
    assert np.array_equal(some, first[[12, 3]])
    assert np.array_equal(line, first[2:5])
    assert none == (0, DIM)


@pytest.mark.parametrize("rows", [30, None])
def test_a_range_is_one_letter_a_server_without_keys(rows):
    """4 * width * rows bytes each way and a short header, one message a server concerned."""
    config = table(rows=rows)

    def work(kv):
        kv.wait(kv.push(range(12, 19), ones(7), "t"))
        kv.wait(kv.pull(range(12, 19), "t"))
    for servers in ((1, 3) if rows else (1,)):
        concerned = [2] if servers == 3 else [1]                    # 10..19 is server 1's of 3, rank 2
        run = only(work, config, servers)[2]
        idle = only(lambda kv: None, config, servers)[2]
        for server in concerned:
            for link in ((0, server), (server, 0)):
                assert run.ledger.link(*link, "vals") == 4 * DIM * 7
                assert run.ledger.link(*link, "keys") == 0
                assert run.ledger.messages(*link) - idle.ledger.messages(*link) == 2
                assert run.ledger.link(*link, "header") - idle.ledger.link(*link, "header") <= 64
        assert run.ledger.total("vals") == 2 * 4 * DIM * 7
