"""Pulls through a worker's cache: the same rows under BSP, exact hits, and how many bytes less."""

import math
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from ps_cached_jobs import DIM, ROWS, cached_job, draw, run, same_reads, table
from ps_jobs import TABLES, check_stats, job, sequential, train

from pslab.comm import Mail, ProcessWorld, SimWorld
from pslab.ps import BSP, SGD, SSP, KVServer, KVWorker, TableConfig, consistency_of, serve
from pslab.ps.shard import Shard

# ---- BSP: nothing but bytes changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cache_rows", [1, 7, 1000])
def test_under_bsp_a_cached_run_is_the_uncached_run_bit_for_bit(cache_rows):
    for seed in range(2):
        plain, cached = [run(table(BSP()), settings, seed) for settings in ({}, {"cache_rows": cache_rows})]
        assert same_reads(plain, cached, 3), f"seed {seed}"
        for server in (3, 4):
            assert plain.results[server]["rows"]["t"].tobytes() == cached.results[server]["rows"]["t"].tobytes()
        check_stats(cached, 3)
        check_savings(plain, cached, 3)
        counts = [cached.results[worker]["cache"]["t"] for worker in range(3)]
        assert all(c["hits"] >= c["unasked"] + c["unchanged"] for c in counts)
        assert sum(c["unasked"] for c in counts)                    # the same rows again within a round


def check_savings(plain, cached, workers):
    """saved_bytes is the difference of the two ledgers, to the byte; vals fall by the rows that did not travel."""
    counts = [cached.results[worker]["cache"]["t"] for worker in range(workers)]
    payload = [each.ledger.total("keys") + each.ledger.total("vals") for each in (plain, cached)]
    assert payload[0] - payload[1] == sum(c["saved_bytes"] for c in counts)
    valid = sum(c["unasked"] + c["unchanged"] for c in counts)
    assert plain.ledger.total("vals") - cached.ledger.total("vals") == 4 * DIM * valid


def test_rows_that_nobody_changes_travel_once():
    """Reading only: (1 - h) of the row bytes, h the share of valid hits among the distinct rows asked for."""
    def read(comm, kv, seed):
        rng, rows = np.random.default_rng(seed), 0
        for _ in range(20):
            keys = draw(rng)
            kv.wait(kv.pull(keys, "t"))
            rows += len(np.unique(keys))
            kv.clock()
        return rows
    plain, cached = [run(table(BSP()), settings, 1, 1, 1, read) for settings in ({}, {"cache_rows": ROWS})]
    rows, counts = cached.results[0]["result"], cached.results[0]["cache"]["t"]
    valid = counts["unasked"] + counts["unchanged"]
    assert counts["hits"] + counts["misses"] == rows
    assert counts["unchanged"] == counts["hits"] > rows / 2
    assert cached.ledger.total("vals") == plain.ledger.total("vals") * (rows - valid) / rows
    check_savings(plain, cached, 1)


def test_training_under_bsp_saves_nothing():
    """The rows that a worker reads are those that it changes: every copy is old when it is needed again."""
    def step(comm, kv, seed):
        for _ in range(10):
            kv.push([1, 2, 3], kv.wait(kv.pull([1, 2, 3], "t")), "t")
            kv.clock()
    counts = run(table(BSP()), {"cache_rows": 9}, 0, 2, 1, step).results[0]["cache"]["t"]
    assert (counts["hits"], counts["misses"], counts["unasked"], counts["unchanged"]) == (27, 3, 0, 0)
    assert counts["saved_bytes"] == -27 * 8 - 9                     # a stamp a copy, a byte of bits an answer


def blind(self, where, stamps, arena):
    changed = np.zeros(len(stamps), bool)
    return [np.packbits(changed), self.gather(where[len(stamps):], arena)]


def test_a_server_that_finds_nothing_changed_is_caught(monkeypatch):
    monkeypatch.setattr(Shard, "gather_changed", blind)
    with pytest.raises(AssertionError):
        test_under_bsp_a_cached_run_is_the_uncached_run_bit_for_bit(1000)


# ---- the rest of the face -------------------------------------------------------------------------------------------


def test_ranges_go_past_the_cache_and_a_set_is_seen():
    def work(comm, kv, seed):
        kv.wait(kv.pull([3, 4], "t"))
        kv.wait(kv.set([4], torch.full((1, DIM), 7.0), "t"))
        first = kv.wait(kv.pull([3, 4, 4], "t"))[:, 0].tolist()
        early = kv.pull([5], "t")
        kv.wait(kv.set(range(5, 7), torch.full((2, DIM), 8.0), "t"))
        kv.wait(early)
        return first, kv.wait(kv.pull([5, 6], "t"))[:, 0].tolist(), kv.wait(kv.pull(range(4, 7), "t"))[:, 0].tolist()
    for staleness in (0, 3):
        config = TableConfig("t", DIM, ROWS, SGD(1.0), consistency_of(staleness))
        ran = run(config, {"cache_rows": 10}, 0, 1, 2, work)
        assert ran.results[0]["result"] == ([0, 7, 7], [8, 8], [7, 8, 8])
        assert ran.results[0]["cache"]["t"]["hits"] == 3            # 3 and 4, then 5; not the range


def test_hits_are_those_of_an_exact_lru():
    """Through the worker: a pull finds its rows, they become the youngest, the oldest beyond the capacity leave."""
    def work(comm, kv, seed):
        rng, kept, hits, misses = np.random.default_rng(seed), OrderedDict(), 0, 0
        for clock in range(60):
            keys = np.unique(draw(rng)).tolist()
            found = [key in kept for key in keys]
            hits, misses = hits + sum(found), misses + len(found) - sum(found)
            for key in keys:
                kept[key] = True
                kept.move_to_end(key)
            while len(kept) > 6:
                kept.popitem(last=False)
            kv.wait(kv.pull(rng.permutation(keys), "t"))
            if clock % 3 == 0:
                kv.clock()
            counts = kv.cache_stats()["t"]
            assert (counts["hits"], counts["misses"]) == (hits, misses), f"pull {clock}"
        return hits
    for staleness in (0, 3, math.inf):
        for servers in (1, 2):
            config = TableConfig("t", DIM, ROWS, SGD(1.0), consistency_of(staleness))
            assert run(config, {"cache_rows": 6}, 4, 1, servers, work).results[0]["result"] > 40


def test_an_answer_that_waited_is_only_as_good_as_its_clock():
    """Worker 1 leaves, the slowest clock jumps from 0 to 2; the rows of a pull of clock 1 hold round 0 and no more."""
    server = KVServer([TableConfig("t", 1, 4)], 0, 1, [0, 1])
    server.handle(Mail(0, "clock", {"c": 1}), 0.0)
    assert server.handle(Mail(0, "pull", {"t": 0, "q": 1, "c": 1}, [np.array([2]), np.empty(0, np.int64)]), 0.0) == []
    server.handle(Mail(0, "clock", {"c": 2}), 0.0)
    answers = [mail.meta for _, mail in server.handle(Mail(1, "bye"), 0.0) if mail.kind == "rows"]
    assert answers == [{"q": 1, "v": 0, "m": 1}]


@pytest.mark.parametrize(("stamps", "words"), [
    (np.zeros(3, np.int64), r"int64\[3\]"), (np.zeros(1, np.int32), "int32"), (np.zeros((1, 1), int), r"\[1, 1\]")])
def test_stamps_that_are_none_are_refused(stamps, words):
    server = KVServer([TableConfig("t", 1, 4)], 0, 1, [0])
    [(_, mail)] = server.handle(Mail(0, "pull", {"t": 0, "q": 1, "c": 0}, [np.array([2, 1]), stamps]), 0.0)
    assert mail.kind == "error"
    assert re.search(words, mail.meta["w"])


def test_without_a_cache_nothing_is_kept_or_sent_for_it():
    ran = run(table(SSP(1)), {}, 0)
    assert ran.results[0]["cache"] == {}
    server = KVServer([table(SSP(1))], 0, 1, [0])
    assert server.shards[0]._changed_at is None


def test_a_refused_cached_pull_is_forgotten():
    def program(comm):
        if comm.rank:
            return serve(comm, KVServer([table(SSP(1), SGD(1.0))], 0, 1, [0]))
        with KVWorker(comm, [1], [TableConfig("t", DIM, 2 * ROWS, SGD(1.0), SSP(1))], cache_rows=4) as kv:
            with pytest.raises(ValueError, match=f"key {ROWS + 1}; this server owns"):
                kv.wait(kv.pull([1, ROWS + 1], "t"))
            assert kv._caches["t"]._under_way == []
            return kv.wait(kv.pull([1], "t")).shape
    assert SimWorld(2).run(program).results[0] == (1, DIM)


@pytest.mark.parametrize("cache_rows", [-1, 2.5, True])
def test_sizes_that_are_none_are_refused(cache_rows):
    def program(comm):
        KVWorker(comm, [1], TABLES, cache_rows=cache_rows)
    with pytest.raises(ValueError, match="cache_rows="):
        SimWorld(2).run(program)


def test_the_same_bytes_in_processes():
    with ProcessWorld(3) as world:
        real = world.run(cached_job, 2, TABLES, train, {"cache_rows": 4}, 0)
    twin = SimWorld(3).run(cached_job, 2, TABLES, train, {"cache_rows": 4}, 0)
    assert np.array_equal(real.ledger.counts, twin.ledger.counts)
    for step, seen in enumerate(real.results[0]["result"]):
        assert torch.equal(seen[3], sequential(2)[step]["sparse"])
    check_stats(real, 2)


def test_the_uncached_job_of_other_tests_is_this_one():
    plain = SimWorld(3).run(job, 2, TABLES, train, 0)
    same = SimWorld(3).run(cached_job, 2, TABLES, train, {}, 0)
    assert np.array_equal(plain.ledger.counts, same.ledger.counts)
