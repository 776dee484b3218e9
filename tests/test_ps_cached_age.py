"""Reads by age: copies that are not asked about keep the bound of SSP, and hold the worker's own pushes."""

import math

import numpy as np
import pytest
import torch
from ps_cached_jobs import DIM, ROWS, run, same_reads, table
from ps_history import FREE, check_reads, counters, run_counts
from ps_jobs import check_stats

from pslab.comm import Faults, Link
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, TableConfig, consistency_of
from pslab.ps.cache import RowCache
from pslab.ps.cached import CachedTable

# ---- SSP: reads by age ----------------------------------------------------------------------------------------------


def hot(comm, kv, clocks, pace_s):
    """Worker 0 reads a hot row in every clock; the others write it, and are as fast as `pace_s` says."""
    for _ in range(clocks):
        if comm.rank == 0:
            kv.wait(kv.pull([4], "t"))
        comm.compute(pace_s[comm.rank])
        if comm.rank:
            kv.push([4], torch.ones(1, DIM), "t")
        kv.clock()


@pytest.mark.parametrize(("staleness", "pulls"), [(0, 64), (1, 32), (2, 22), (3, 16)])
@pytest.mark.parametrize("pace_s", [[1.0], [1.0, 0.75], [1.0, 0.5, 0.75]], ids=["alone", "one writer", "two"])
def test_a_hot_row_is_pulled_once_in_s_plus_1_clocks(staleness, pulls, pace_s):
    """64 clocks: 64, 32, 22, 16 pulls for s = 0, 1, 2, 3, as long as the others are not behind."""
    assert pulls == math.ceil(64 / (staleness + 1))
    workers = len(pace_s)

    def work(comm, kv, seed):
        hot(comm, kv, 64, pace_s)
    ran = run(table(consistency_of(staleness), SGD(1.0)), {"cache_rows": 4}, 0, workers, 1, work, link=FREE)
    assert ran.results[workers]["stats"]["tables"]["t"]["pulls"] == pulls
    counts = ran.results[0]["cache"]["t"]
    assert counts["hits"] + counts["misses"] - counts["unasked"] == pulls


def test_behind_a_laggard_copies_are_good_for_less():
    """What a row holds depends on the slowest worker: with a lag of s already used up, it must be asked for."""
    def work(comm, kv, seed):
        hot(comm, kv, 24, [0.25, 1.0])
    ran = run(table(SSP(2), SGD(1.0)), {"cache_rows": 4}, 0, 2, 1, work, link=FREE)
    assert 20 <= ran.results[2]["stats"]["tables"]["t"]["pulls"] <= 24


@pytest.mark.parametrize("staleness", [0, 1, 2, 3])
def test_cached_reads_keep_the_bound_and_ones_own_writes(staleness):
    model, largest, unasked = consistency_of(staleness), 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        durations = (rng.integers(1, 9, (3, 10)) / 1024).tolist()
        link = FREE if seed % 2 else Link(latency_s=1e-3)
        reads, _ = run_counts(counters(3, t=model), durations, servers=2, settings={"cache_rows": 3}, link=link)
        largest = max(largest, check_reads(reads, "t", staleness, 10, model.in_rounds, where=f"seed {seed},"))
        plain, _ = run_counts(counters(3, t=model), durations, servers=2, link=link)
        unasked += sum(read.seen != other.seen for read, other in zip(reads, plain))
    assert largest == staleness
    assert bool(unasked) == bool(staleness)                         # older than the servers' rows, and not too old


@pytest.mark.parametrize("staleness", [0, 1, 3, math.inf])
def test_cached_reads_keep_the_bound_under_loss(staleness):
    model = SSP(staleness)
    for seed in range(8):
        durations = np.random.default_rng(seed).exponential(1e-4, (3, 6)).tolist()
        faults = Faults(seed=seed, drop=0.2, duplicate=0.2, reorder_s=200e-6)
        settings = {"retry_s": 100e-6, "cache_rows": 2 + seed % 2}
        reads, _ = run_counts(counters(3, t=model), durations, servers=2, settings=settings, faults=faults, link=Link())
        check_reads(reads, "t", staleness, 6, model.in_rounds, where=f"seed {seed},")


@pytest.mark.parametrize("rule", [SGD(0.3), AdaGrad(0.1)], ids=["sgd", "adagrad"])
@pytest.mark.parametrize("staleness", [1, 4, math.inf])
def test_alone_ones_own_pushes_on_copies_are_the_servers_steps(rule, staleness):
    """One worker: copies that are not asked about follow the server's rows bit for bit; a rule's state comes along."""
    for seed in range(2):
        for cache_rows in (3, ROWS):
            config = table(SSP(staleness), rule)
            plain, cached = [run(config, settings, seed, 1) for settings in ({}, {"cache_rows": cache_rows})]
            assert same_reads(plain, cached, 1), f"seed {seed}, {cache_rows} rows"
            assert cached.results[0]["cache"]["t"]["unasked"] > 20
            check_stats(cached, 1)


def test_state_travels_only_where_copies_take_steps():
    def read(comm, kv, seed):
        kv.wait(kv.pull([1, 2, 3], "t"))
    for model, values in ((BSP(), 1), (SSP(1), 2), (ASP(), 1)):
        assert run(table(model), {"cache_rows": 4}, 0, 1, 1, read).ledger.link(1, 0, "vals") == 3 * 4 * DIM * values
    assert run(table(SSP(1), SGD(1.0)), {"cache_rows": 4}, 0, 1, 1, read).ledger.link(1, 0, "vals") == 3 * 4 * DIM


def test_under_asp_every_row_is_asked_about_and_unchanged_ones_do_not_travel():
    def work(comm, kv, seed):
        seen = []
        for clock in range(4):
            seen.append(kv.wait(kv.pull([1, 2], "t"))[:, 0].tolist())
            if clock == 1:
                kv.wait(kv.push([2], torch.ones(1, DIM), "t"))
            kv.clock()
        return seen
    ran = run(TableConfig("t", DIM, ROWS, SGD(1.0), ASP()), {"cache_rows": 4}, 0, 1, 1, work)
    assert ran.results[0]["result"] == [[0, 0], [0, 0], [0, -1], [0, -1]]
    counts = ran.results[0]["cache"]["t"]
    assert (counts["misses"], counts["hits"], counts["unasked"], counts["unchanged"]) == (2, 6, 0, 5)


# ---- each part, taken out, is missed --------------------------------------------------------------------------------


def test_ages_off_by_one_are_caught(monkeypatch):
    monkeypatch.setattr(SSP, "good_until", lambda self, min_clock: min_clock + self.staleness + 1)
    with pytest.raises(AssertionError, match="seed"):
        test_cached_reads_keep_the_bound_and_ones_own_writes(2)


def test_copies_without_ones_own_pushes_are_caught(monkeypatch):
    monkeypatch.setattr(RowCache, "step", lambda *args: None)
    with pytest.raises(AssertionError, match="seed"):
        test_cached_reads_keep_the_bound_and_ones_own_writes(2)


def test_answers_that_lack_ones_own_pushes_are_caught(monkeypatch):
    """An answer that was under way when the worker pushed is taken for good."""
    monkeypatch.setattr(CachedTable, "_doubt_answers", lambda *args: None)
    with pytest.raises(AssertionError):
        prefetch()


def prefetch():
    def work(comm, kv, seed):
        early = kv.pull([4], "t")
        kv.push([4], torch.ones(1, DIM), "t")
        kv.wait(early)
        return kv.wait(kv.pull([4], "t"))[0, 0].item()
    ran = run(TableConfig("t", DIM, ROWS, SGD(1.0), SSP(3)), {"cache_rows": 4}, 0, 1, 1, work)
    assert ran.results[0]["result"] == -1.0


def test_a_push_while_a_pull_is_under_way_is_read_by_the_next():
    prefetch()
