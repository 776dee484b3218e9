"""Filters in whole jobs: the bytes they save, to the byte, and what the servers end up with."""

import numpy as np
import pytest
import torch
from ps_filter_jobs import DIM, KEYS, ROUNDS, ROWS, TABLE, bytes_of, job, pull_and_push, rows_of, run_job

from pslab.comm import ProcessWorld, SimWorld
from pslab.ps import (
    ASP,
    SGD,
    KeyCaching,
    KVServer,
    KVWorker,
    SignificantlyModified,
    TableConfig,
    ValueCompression,
    serve,
)
from pslab.ps.hierarchy import serve_aggregator

# ---- bytes ----------------------------------------------------------------------------------------------------------


def test_key_caching_halves_what_travels_where_a_row_has_eight_bytes():
    """8-byte keys, two float32 a row: of four equal parts (keys and values, pulled and pushed) two are left."""
    plain, cached = run_job([]), run_job([KeyCaching()])
    vals = len(KEYS) * DIM * 4 * ROUNDS
    assert bytes_of(plain, 1) == (2 * len(KEYS) * 8 * ROUNDS, vals, vals)
    assert bytes_of(cached, 1) == (len(KEYS) * 8 + 2 * (2 * ROUNDS - 1) * 8, vals, vals)     # 2 servers: 2 hashes
    payload = [sum(bytes_of(run, 1)) for run in (plain, cached)]
    assert payload[1] / payload[0] == pytest.approx(1 / 2, abs=0.04)
    (_, stats), before, after = cached.results[0], *[bytes_of(run, 1)[0] for run in (plain, cached)]
    assert stats["t"]["keys_saved_bytes"] == before - after
    assert all(torch.equal(a, b) for a, b in zip(plain.results[0][0], cached.results[0][0]))
    assert np.array_equal(rows_of(plain, 1)[1], rows_of(cached, 1)[1])


@pytest.mark.parametrize(("dim", "share"), [(1, 2 / 3), (2, 1 / 2), (4, 1 / 3), (16, 1 / 9)])
def test_the_share_of_keys_in_a_row(dim, share):
    table = TableConfig("t", dim, ROWS)

    def work(comm, kv):
        for _ in range(20):
            kv.push(KEYS, torch.ones(len(KEYS), dim), "t")
    plain, cached = (sum(bytes_of(run_job(filters, work, table=table, servers=1), 1))
                     for filters in ([], [KeyCaching()]))
    assert 1 - cached / plain == pytest.approx(share * 19 / 20, abs=0.005)


def test_with_new_keys_in_every_step_the_push_after_the_pull_is_saved():
    batches = [np.unique(np.random.default_rng(i).integers(0, ROWS, 200)) for i in range(ROUNDS)]
    run = run_job([KeyCaching()], lambda comm, kv: pull_and_push(comm, kv, batches), servers=1)
    assert bytes_of(run, 1)[0] == sum(8 * len(keys) + 8 for keys in batches)


def test_lists_come_back_as_long_as_they_are_remembered():
    batches = [KEYS[:100], KEYS[100:200], KEYS[200:300]] * 4

    def work(comm, kv):
        return pull_and_push(comm, kv, batches)

    def sent(lists):
        return bytes_of(run_job([KeyCaching(lists)], work, servers=1), 1)[0]
    assert sent(3) == 3 * 800 + (2 * ROUNDS - 3) * 8
    assert sent(2) == ROUNDS * 800 + ROUNDS * 8             # each has been pushed out before it comes again


@pytest.mark.parametrize(("how", "pushed", "pulled"), [
    (ValueCompression("fp16"), 2 * DIM, 2 * DIM), (ValueCompression("bf16"), 2 * DIM, 2 * DIM),
    (ValueCompression("int8"), DIM + 4, DIM + 4), (ValueCompression("fp16", pulls=False), 2 * DIM, 4 * DIM)], ids=repr)
def test_compressed_values(how, pushed, pulled):
    run, plain = run_job([how]), run_job([])
    rows = len(KEYS) * ROUNDS
    assert bytes_of(run, 1) == (2 * 8 * rows, pushed * rows, pulled * rows)
    saved = sum(bytes_of(plain, 1)) - sum(bytes_of(run, 1))
    assert run.results[0][1]["t"]["vals_saved_bytes"] == saved
    got, exact = rows_of(run, 1)[1], rows_of(plain, 1)[1]
    if how.kind == "int8":                                  # codes of 127 steps a row
        np.testing.assert_allclose(got, exact, atol=ROUNDS * 7 / 127)
    else:
        assert np.array_equal(got, exact)                   # these whole numbers fit
    for seen, rows in zip(run.results[0][0], plain.results[0][0]):
        np.testing.assert_allclose(seen, rows, rtol=2**-8, atol=0 if how.kind != "int8" else ROUNDS * 7 / 127)


def test_pushpull_is_compressed_both_ways_and_its_keys_are_cached():
    def work(comm, kv):
        return [kv.wait(kv.pushpull(KEYS, torch.ones(len(KEYS), DIM), "t")).clone() for _ in range(4)]
    table = TableConfig("t", DIM, ROWS, rule=SGD(1.0), consistency=ASP())
    run = run_job([KeyCaching(), ValueCompression("fp16")], work, table=table, servers=1)
    assert bytes_of(run, 1) == (8 * len(KEYS) + 3 * 8, 4 * 2 * DIM * len(KEYS), 4 * 2 * DIM * len(KEYS))
    assert [rows.unique().tolist() for rows in run.results[0][0]] == [[-1], [-2], [-3], [-4]]


def test_what_is_set_travels_whole():
    values = torch.full((len(KEYS), DIM), 1.0001)

    def work(comm, kv):
        kv.init("t", KEYS[:10], values[:10])
        kv.wait(kv.set(KEYS[10:], values[10:], "t"))
    run = run_job([ValueCompression("fp16")], work)
    keys, rows = rows_of(run, 1)
    assert (rows[np.isin(keys, KEYS)] == np.float32(1.0001)).all()
    assert bytes_of(run, 1)[1] == len(KEYS) * DIM * 4


def test_filters_of_one_table_leave_the_other_alone():
    tables = [TABLE, TableConfig("u", DIM, ROWS, rule=SGD(1.0))]

    def work(comm, kv):
        for name in ("t", "u"):
            for _ in range(3):
                kv.push(KEYS, torch.ones(len(KEYS), DIM), name)

    def run(filters):
        return SimWorld(2).run(job, tables, 1, work, {"filters": filters})
    one, neither = run({"u": [ValueCompression("fp16"), KeyCaching()]}), run({})
    n = len(KEYS)
    assert bytes_of(neither, 1)[:2] == (6 * 8 * n, 6 * 4 * DIM * n)
    assert bytes_of(one, 1)[:2] == (4 * 8 * n + 2 * 8, 3 * 4 * DIM * n + 3 * 2 * DIM * n)
    assert list(one.results[0][1]) == ["u"]
    assert neither.results[0][1] == {}


def test_the_aggregator_of_a_rack_knows_filters_too():
    """Two workers of one rack: inside it letters are filtered, what is computed is the same."""
    table = TableConfig("t", DIM, ROWS, rule=SGD(1.0))

    def program(comm, filters):
        if comm.rank == 0:
            return serve_aggregator(comm, [table], [1, 2], [3])
        if comm.rank == 3:
            return serve(comm, KVServer([table], 0, 1, [0], 3))
        with KVWorker(comm, [0], [table], filters=filters) as kv:
            return torch.stack(pull_and_push(comm, kv))
    plain, filtered = (SimWorld(4).run(program, filters) for filters in ([], [KeyCaching(), ValueCompression("fp16")]))
    assert torch.equal(plain.results[1], filtered.results[1])
    n = len(KEYS)
    assert plain.ledger.link(1, 0, "keys") == 8 * n * 2 * ROUNDS
    assert filtered.ledger.link(1, 0, "keys") == 8 * n + 8 * (2 * ROUNDS - 1)
    for link in ((1, 0), (0, 2)):
        assert filtered.ledger.link(*link, "vals") * 2 == plain.ledger.link(*link, "vals") == 4 * DIM * n * ROUNDS


# ---- gradients that are held back -----------------------------------------------------------------------------------


def test_small_gradients_wait_and_nothing_is_lost():
    def work(comm, kv):
        for _ in range(4):
            kv.push([1, 2, 5], torch.tensor([[1.0], [4.0], [0.5]]), "t")
            kv.clock()
        return kv.wait(kv.pull([1, 2, 5], "t")).tolist(), kv.filter_stats()["t"]
    table = TableConfig("t", 1, 8, rule=SGD(1.0))
    run = run_job([SignificantlyModified(3.0)], work, servers=1, table=table)
    (seen, during), after = run.results[0]
    assert seen == [[-3.0], [-16.0], [0.0]]                         # 1 + 1 + 1 was sent; then 1 was held again
    assert (during["rows_held"], during["rows_held_back"]) == (2, 3 + 0 + 4)
    assert after["t"]["rows_held"] == 0                             # goodbye pushed them
    assert rows_of(run, 1)[1][[1, 2, 5], 0].tolist() == [-4.0, -16.0, -2.0]
    assert bytes_of(run, 1)[:2] == ((4 + 1) * 8 + 3 * 8 + 2 * 8, (4 + 1) * 4 + 2 * 4)    # pushed, pulled, flushed


def test_flush_sends_what_is_held_in_this_round():
    def work(comm, kv):
        seen = []
        for flush in (False, True):
            kv.push(range(2, 5), torch.ones(3, 1), "t")
            if flush:
                kv.flush("t")
            kv.clock()
            seen.append(kv.wait(kv.pull(range(2, 5), "t")).flatten().tolist())
        return seen
    table = TableConfig("t", 1, 8, rule=SGD(1.0))
    run = run_job([SignificantlyModified(100.0)], work, table=table)
    assert run.results[0][0] == [[0, 0, 0], [-2, -2, -2]]


def test_a_set_row_and_a_pushpull_leave_nothing_behind():
    def work(comm, kv):
        kv.push([1, 2, 3], torch.ones(3, 1), "t")
        kv.wait(kv.set([1], torch.tensor([[50.0]]), "t"))
        return kv.wait(kv.pushpull([2], torch.tensor([[0.5]]), "t")).tolist()
    table = TableConfig("t", 1, 8, rule=SGD(1.0), consistency=ASP())
    run = run_job([SignificantlyModified(100.0)], work, table=table, servers=1)
    assert run.results[0][0] == [[-1.5]]
    assert rows_of(run, 1)[1][:4, 0].tolist() == [0, 50, -1.5, -1]


def test_in_real_processes():
    filters = [KeyCaching(), ValueCompression("int8")]
    with ProcessWorld(2) as world:
        run = world.run(job, [TABLE], 1, pull_and_push, {"filters": filters})
    same = run_job(filters, servers=1)
    assert bytes_of(run, 1) == bytes_of(same, 1)
    assert np.array_equal(rows_of(run, 1)[1], rows_of(same, 1)[1])


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "words"), [
    ({"filters": [KeyCaching(), KeyCaching(2)]}, "filters of table 't' holds KeyCaching twice"),
    ({"filters": {"u": []}}, "filters names table 'u'; allowed: 't'"),
    ({"filters": KeyCaching()}, "filters=KeyCaching.*a list of filters"),
    ({"filters": ["fp16"]}, "a list of filters"),
    ({"filters": [KeyCaching()], "cache_rows": 4}, "cache_rows=4 beside filters")])
def test_workers_refuse(settings, words):
    with pytest.raises(ValueError, match=words):
        SimWorld(2).run(job, [TABLE], 1, pull_and_push, settings)


def test_rows_of_16_bits_are_not_compressed_again():
    table = TableConfig("t", DIM, ROWS, dtype="bfloat16")
    with pytest.raises(ValueError, match="filters of table 't': its rows are bfloat16"):
        run_job([ValueCompression("int8")], table=table)
    run_job([KeyCaching()], table=table)
