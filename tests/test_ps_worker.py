"""KVWorker: what it sends, what it hands back, what it refuses."""

import numpy as np
import pytest
import torch
from ps_jobs import check_stats, final_rows, job

from pslab.comm import Deadlock, SimWorld
from pslab.ps import SGD, Integers, KVServer, KVWorker, TableConfig, serve

USER = TableConfig("user", 4, 100, rule=SGD(1.0), init=Integers(-99, 100, seed=2))
ITEM = TableConfig("item", 2, 10, rule=SGD(1.0), init=Integers(-99, 100, seed=2))
TABLES = [USER, ITEM]
ROWS = torch.from_numpy(USER.initial_rows())


def alone(work, servers=2, workers=1, tables=TABLES, **world):
    """One worker (the others only say goodbye) and some servers; the run."""
    def only_first(comm, kv):
        return work(comm, kv) if comm.rank == 0 else None
    run = SimWorld(workers + servers, **world).run(job, workers, tables, only_first)
    check_stats(run, workers)
    return run


# ---- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 2, 3, 7])
@pytest.mark.parametrize("keys", [[5], [0, 99], [99, 0], [7, 2, 7, 7, 60], list(range(100)), list(range(99, -1, -1)),
                                  range(0, 100), range(33, 68), slice(98, 100), slice(None), [3, 4, 5], []], ids=str)
@pytest.mark.parametrize("give_out", [False, True])
def test_pull_gives_the_rows_in_the_callers_order(servers, keys, give_out):
    index = list(range(100))[keys] if isinstance(keys, slice) else list(keys)

    def work(comm, kv):
        asked = torch.tensor(keys, dtype=torch.int64) if isinstance(keys, list) else keys
        out = torch.full((len(index), 4), -1.0) if give_out else None
        rows = kv.wait(kv.pull(asked, "user", out=out))
        assert not give_out or rows is out
        assert isinstance(rows, torch.Tensor)
        return rows
    rows = alone(work, servers).results[0]["result"]
    assert rows.dtype == torch.float32
    assert torch.equal(rows, ROWS[index])


def test_out_may_be_an_array_and_rows_belong_to_the_caller():
    def work(comm, kv):
        out = np.zeros((2, 4), np.float32)
        assert kv.wait(kv.pull([9, 1], "user", out=out)) is out
        first = kv.wait(kv.pull(range(100), "user"))
        first += 1000                                                # must not reach the server
        again = kv.wait(kv.pull(range(100), "user"))
        return out, again
    for servers in (1, 2):
        out, again = alone(work, servers).results[0]["result"]
        assert np.array_equal(out, ROWS[[9, 1]])
        assert torch.equal(again, ROWS)


def test_pushed_tensors_may_change_at_once_and_are_not_changed():
    def work(comm, kv):
        keys, vals = torch.tensor([5, 3, 5]), torch.ones(3, 4)
        dense = torch.ones(100, 4)
        for given in (keys, vals):
            copy = given.clone()
            kv.push(keys, vals, "user")
            assert torch.equal(given, copy)
        kv.push(range(100), dense, "user")
        keys.fill_(0)
        vals.fill_(50)
        dense.fill_(50)
        kv.clock()
        return kv.wait(kv.pull(range(100), "user"))
    expected = ROWS - 1
    expected[5] -= 4
    expected[3] -= 2
    assert torch.equal(alone(work).results[0]["result"], expected)


def test_wait_in_any_order_and_timestamps_count_up():
    def work(comm, kv):
        stamps = [kv.pull([1], "user"), kv.push([2], torch.ones(1, 4), "user"), kv.pull([3, 1], "item"),
                  kv.push([], torch.ones(0, 4), "user")]
        assert stamps == [1, 2, 3, 4]
        results = [kv.wait(stamp) for stamp in reversed(stamps)]
        assert kv.wait(2) is None                                    # a push may be waited for again
        return results
    nothing, item, pushed, user = alone(work).results[0]["result"]
    assert nothing is None
    assert pushed is None
    assert np.array_equal(item, ITEM.initial_rows([3, 1]))
    assert torch.equal(user, ROWS[[1]])


def test_init_sets_rows_in_any_order_and_by_range():
    def work(comm, kv):
        kv.init("user", [70, 4], torch.tensor([[7.0] * 4, [4.0] * 4]))
        kv.init("user", range(45, 55), torch.arange(40.0).reshape(10, 4))
        kv.init("user", [], torch.zeros(0, 4))
        return kv.wait(kv.pull(range(100), "user"))
    expected = ROWS.clone()
    expected[70], expected[4], expected[45:55] = 7.0, 4.0, torch.arange(40.0).reshape(10, 4)
    run = alone(work)
    assert torch.equal(run.results[0]["result"], expected)
    assert run.results[0]["stats"]["user"]["inits"] == 3
    assert run.results[1]["stats"]["tables"]["user"]["inits"] == 2   # keys 4 and 45..49


def test_init_by_one_worker_is_seen_by_all_after_a_clock():
    def work(comm, kv):
        if comm.rank == 1:
            comm.compute(1.0)
            kv.init("item", range(10), torch.arange(20.0).reshape(10, 2))
        kv.clock()
        return kv.wait(kv.pull(range(10), "item"))
    run = SimWorld(5).run(job, 3, TABLES, work)
    assert all(torch.equal(run.results[worker]["result"], torch.arange(20.0).reshape(10, 2)) for worker in range(3))


# ---- bytes ------------------------------------------------------------------------------------------------------


def test_a_pull_costs_eight_bytes_a_distinct_key_and_its_rows_back():
    keys = [99, 3, 3, 50, 49, 3, 0]                                  # server 1 owns 0..49, server 2 the rest
    run = alone(lambda comm, kv: kv.wait(kv.pull(keys, "user")))
    for server, distinct in ((1, 3), (2, 2)):
        assert run.ledger.link(0, server, "keys") == distinct * 8
        assert run.ledger.link(server, 0, "vals") == distinct * 4 * 4
        assert run.ledger.link(0, server, "vals") == run.ledger.link(server, 0, "keys") == 0
    assert run.ledger.total("keys") + run.ledger.total("vals") == 5 * (8 + 16)


def test_a_push_costs_a_key_and_a_row_for_each_distinct_key():
    keys = torch.tensor([99, 3, 3, 50, 49, 3, 0])
    run = alone(lambda comm, kv: kv.push(keys, torch.ones(7, 4), "user"))
    assert [run.ledger.link(0, server, "keys") for server in (1, 2)] == [24, 16]
    assert [run.ledger.link(0, server, "vals") for server in (1, 2)] == [48, 32]
    assert run.ledger.link(1, 0, "vals") + run.ledger.link(2, 0, "vals") == 0


def test_a_range_costs_no_keys_and_a_short_header():
    def work(comm, kv):
        for _ in range(200):
            kv.push(range(20, 100), torch.ones(80, 4), "user")
            kv.wait(kv.pull(range(20, 100), "user"))
            kv.clock()
    run = alone(work)
    assert run.ledger.total("keys") == 0
    for server, rows in ((1, 30), (2, 50)):
        assert run.ledger.link(0, server, "vals") == run.ledger.link(server, 0, "vals") == 200 * rows * 16
        letters = run.ledger.messages(0, server)
        assert letters == 601                                        # push, pull, clock; a goodbye
        assert run.ledger.link(0, server, "header") <= 32 * letters
        assert run.ledger.link(server, 0, "header") <= 32 * run.ledger.messages(server, 0)


def test_only_servers_concerned_hear_of_a_request():
    def work(comm, kv):
        kv.push([34, 66], torch.ones(2, 4), "user")                  # both of server 1 of 3: it owns 34..66
        kv.wait(kv.pull([40], "user"))
        kv.wait(kv.pull([], "user"))
        kv.push(range(5, 5), torch.ones(0, 4), "user")
    run = alone(work, servers=3)
    assert [run.ledger.messages(0, server) for server in (1, 2, 3)] == [1, 3, 1]    # goodbyes, push and pull
    assert run.results[0]["stats"]["user"] == {"inits": 0, "sets": 0, "pulls": 2, "pushes": 2, "keys_out_bytes": 24,
                                               "keys_in_bytes": 0,
                                               "vals_out_bytes": 32, "vals_in_bytes": 16}


def test_more_servers_than_rows():
    table = TableConfig("tiny", 2, 2, rule=SGD(1.0))

    def work(comm, kv):
        kv.push([1, 0, 1], torch.ones(3, 2), "tiny")
        kv.clock()
        return kv.wait(kv.pull(slice(None), "tiny"))
    run = alone(work, servers=4, tables=[table])
    assert run.results[0]["result"].tolist() == [[-1, -1], [-2, -2]]
    assert final_rows(run, 1, "tiny").tolist() == [[-1, -1], [-2, -2]]
    assert [run.results[server]["stats"]["tables"]["tiny"]["pushes"] for server in (1, 2, 3, 4)] == [1, 1, 0, 0]


# ---- refusals ---------------------------------------------------------------------------------------------------

REFUSED = {
    "key too high": (lambda kv: kv.push([100], torch.ones(1, 4), "user"), r"'user': key 100 .* 0\.\.99"),
    "key negative": (lambda kv: kv.pull([3, -1], "user"), "'user': key -1"),
    "keys float": (lambda kv: kv.pull(torch.ones(2), "user"), "float32"),
    "range outside": (lambda kv: kv.pull(range(90, 101), "user"), r"range\(90, 101\)"),
    "width": (lambda kv: kv.push([1, 2], torch.ones(2, 3), "user"), r"\(2, 3\).*\(2, 4\)"),
    "count": (lambda kv: kv.push([1, 2], torch.ones(3, 4), "user"), r"\(3, 4\)"),
    "dtype": (lambda kv: kv.push([1], torch.ones(1, 4).double(), "user"), "float64; float32"),
    "table": (lambda kv: kv.push([1], torch.ones(1, 4), "usre"), "table='usre'.*'user', 'item'"),
    "default table": (lambda kv: kv.pull([1]), "table='default'"),
    "init twice": (lambda kv: kv.init("user", [1, 2, 1], torch.ones(3, 4)), "'user': keys holds 1 keys twice"),
    "init width": (lambda kv: kv.init("user", [1], torch.ones(1, 5)), r"\(1, 5\)"),
    "wait future": (lambda kv: kv.wait(1), r"timestamp=1 is unknown; none was given yet"),
    "wait zero": (lambda kv: kv.wait(0), "timestamp=0"),
    "wait text": (lambda kv: kv.wait("1"), "timestamp='1'"),
    "out shape": (lambda kv: kv.pull([1], "user", out=torch.ones(2, 4)), r"out is float32\[2, 4\].*float32\[1, 4\]"),
    "out dtype": (lambda kv: kv.pull([1], "user", out=torch.ones(1, 4, dtype=torch.int32)), "int32"),
    "out strided": (lambda kv: kv.pull([1, 2], "user", out=torch.ones(4, 2).T), "contiguous"),
    "out list": (lambda kv: kv.pull([1], "user", out=[0]), "out is list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_requests_are_refused_and_send_nothing(case):
    act, words = REFUSED[case]

    def work(comm, kv):
        before = kv.stats()
        with pytest.raises(ValueError, match=words):
            act(kv)
        assert kv.stats() == before
        kv.push([1], torch.ones(1, 4), "user")                       # and everything goes on
        kv.clock()
        return kv.wait(kv.pull([1], "user"))
    run = alone(work)
    assert torch.equal(run.results[0]["result"], ROWS[[1]] - 1)
    assert run.ledger.messages(0, 1) == 4                            # push, clock, pull, goodbye


def test_a_pull_is_handed_out_once():
    def work(comm, kv):
        stamp = kv.pull([1], "user")
        kv.wait(stamp)
        with pytest.raises(ValueError, match="timestamp=1: the rows of this pull were handed out"):
            kv.wait(stamp)
        with pytest.raises(ValueError, match=r"timestamp=2 is unknown; so far 1\.\.1"):
            kv.wait(2)
    alone(work)


def test_after_goodbye_requests_are_refused_but_earlier_pulls_are_there():
    def work(comm, kv):
        stamp = kv.pull([1], "user")
        kv.goodbye()
        kv.goodbye()                                                 # once is enough, twice is harmless
        for act in (lambda: kv.push([1], torch.ones(1, 4), "user"), lambda: kv.pull([1], "user"), kv.clock,
                    lambda: kv.init("user", [1], torch.ones(1, 4))):
            with pytest.raises(ValueError, match="goodbye"):
                act()
        return kv.wait(stamp)
    assert torch.equal(alone(work).results[0]["result"], ROWS[[1]])


def test_wait_times_out_and_can_be_called_again():
    def work(comm, kv):
        stamp = kv.pull([1], "user")
        start = comm.now()
        with pytest.raises(TimeoutError, match="timestamp 1"):
            kv.wait(stamp, timeout_s=1e-6)
        assert 1e-6 <= comm.now() - start < 2e-6
        return kv.wait(stamp, timeout_s=1.0)
    assert torch.equal(alone(work).results[0]["result"], ROWS[[1]])


def test_a_server_with_other_tables_refuses_in_words_and_nothing_changes():
    def program(comm):
        if comm.rank:
            server = KVServer([USER], 0, 1, [0])
            return serve(comm, server), np.array_equal(server.rows("user"), USER.initial_rows())
        wrong = [TableConfig("user", 5, 200), ITEM]
        said = []
        kv = KVWorker(comm, [1], wrong)
        for act in (lambda: kv.push([150], torch.ones(1, 5), "user"), lambda: kv.push([5], torch.ones(1, 5), "user"),
                    lambda: kv.pull([5, 150], "user"), lambda: kv.pull([5], "item")):
            with pytest.raises(ValueError) as error:
                kv.wait(act())
            said.append(str(error.value))
        with pytest.raises(ValueError, match="handed out"):
            kv.wait(3)
        rows = kv.wait(kv.pull([5], "user"))
        kv.clock()
        kv.goodbye()
        return said, rows
    run = SimWorld(2).run(program)
    (said, rows), (stats, untouched) = run.results
    assert untouched
    for text, words in zip(said, ("key 150; this server owns 0..99", "float32[1, 4] is needed",
                                  "key 150; this server owns 0..99", "table number 1")):
        assert words in text
        assert "server 0" in text
    assert np.array_equal(rows, USER.initial_rows([5]))
    assert stats["refused"] == 4


def test_mail_of_another_program_is_named():
    def program(comm):
        if comm.rank == 0:
            kv = KVWorker(comm, [1], TABLES)
            with pytest.raises(ValueError, match=r"kind 'hello' from rank 1.*split"):
                kv.wait(kv.pull([1], "user"))
            kv.goodbye()
        else:
            comm.post(0, "hello")
            serve(comm, KVServer(TABLES, 0, 1, [0]))
    SimWorld(2).run(program)


def test_a_worker_that_never_says_goodbye_is_a_deadlock_and_not_a_silence():
    def program(comm):
        if comm.rank < 2:
            kv = KVWorker(comm, [2], TABLES)
            if comm.rank == 0:
                kv.goodbye()
        else:
            serve(comm, KVServer(TABLES, 0, 1, [0, 1]))
    with pytest.raises(Deadlock, match="poll"):
        SimWorld(3).run(program)


def test_an_error_in_a_with_block_is_raised_and_says_no_goodbye():
    def work(comm, kv):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        SimWorld(2).run(job, 1, TABLES, work)


@pytest.mark.parametrize("servers", [[], [1, 1]])
def test_workers_refuse_servers(servers):
    def program(comm):
        KVWorker(comm, servers, TABLES)
    with pytest.raises(ValueError, match="servers="):
        SimWorld(2).run(program)
