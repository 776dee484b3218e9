"""Staleness and the workers' cache in training: what they change, what they must not, and where they make no sense."""

import math

import pytest
import torch

from pslab.comm import Faults, SimWorld
from pslab.data import synthetic_click_log
from pslab.ps import ASP, BSP, SSP
from pslab.train import SGD, AdaGrad, Job, port_bytes, run_job, tables_of

LOG = synthetic_click_log(3, train_rows=1500, test_rows=100, tables=(40, 25, 10), num_dense=3)
BATCHES = list(LOG.batches(60, 0, 20))


def run(strategy="server", faults=None, workers=2, **settings):
    job = Job(tables_of(LOG, 8), LOG.num_dense, strategy, workers, 2, (8, 8), (8, 1), **settings)
    return run_job(SimWorld(job.world_size, engine="greenlets", faults=faults, trace=False), job, BATCHES)


@pytest.mark.parametrize("strategy", ["server", "hybrid"])
def test_under_bsp_a_cache_changes_bytes_and_nothing_else(strategy):
    plain, cached = run(strategy), run(strategy, cache_rows=30)
    assert plain.losses == cached.losses
    assert all(torch.equal(plain.state[name], cached.state[name]) for name in plain.state)
    assert plain.cache_stats == [{}, {}]
    saved = sum(table["saved_bytes"] for worker in cached.cache_stats for table in worker.values())
    payload = [result.run.ledger.total("keys") + result.run.ledger.total("vals") for result in (plain, cached)]
    assert payload[0] - payload[1] == saved != 0
    for result in (plain, cached):          # each port's bytes are the ledger's, with and without
        for rank, split in enumerate(port_bytes(result)):
            ledger = result.run.ledger
            both = [ledger.port(rank, "keys")[way] + ledger.port(rank, "vals")[way] for way in (0, 1)]
            assert [split.dense[way] + split.sparse[way] for way in (0, 1)] == both


def test_stragglers_hold_up_bsp_and_staleness_lets_others_go_on():
    """Letters are late at random: the more staleness, the shorter the run, and other losses, not worse by much."""
    results = {s: run(staleness=s, faults=Faults(seed=1, delay_s=5e-3)) for s in (0, 2, math.inf)}
    times = [result.run.seconds for result in results.values()]
    assert times == sorted(times, reverse=True)
    assert times[2] < 0.9 * times[0]
    last = {s: sum(result.losses[-5:]) / 5 for s, result in results.items()}
    for s in (2, math.inf):
        assert results[s].losses != results[0].losses
        assert abs(last[s] - last[0]) < 0.05 * last[0]


def test_steps_are_one_a_push_unless_bsp():
    steps = {s: [server["tables"]["embedding_d8"]["steps"] for server in run(staleness=s).server_stats]
             for s in (0, 1, math.inf)}
    assert steps[0] == [len(BATCHES)] * 2
    assert steps[1] == steps[math.inf] == [2 * len(BATCHES)] * 2


@pytest.mark.parametrize("rule", [SGD(0.1), AdaGrad(0.05)], ids=["sgd", "adagrad"])
def test_under_staleness_a_cache_spares_rows(rule):
    """One worker reads its own pushes on its copies: the losses are those of the uncached run, bit for bit."""
    plain, cached = [run(workers=1, staleness=4, optimizer=rule, cache_rows=rows) for rows in (0, 75)]
    assert plain.losses == cached.losses
    assert all(torch.equal(plain.state[name], cached.state[name]) for name in plain.state)
    (counts,) = [table for name, table in cached.cache_stats[0].items() if name != "dense"]
    rows = counts["hits"] + counts["misses"]
    assert counts["unasked"] > 0.6 * rows
    came = [result.worker_stats[0]["embedding_d8"]["vals_in_bytes"] for result in (cached, plain)]
    assert came[0] < came[1]


def test_two_workers_with_a_cache_and_staleness_learn_as_well():
    plain, cached = run(), run(staleness=3, cache_rows=40)
    assert sum(cached.losses[-5:]) == pytest.approx(sum(plain.losses[-5:]), rel=0.05)
    assert sum(table["unasked"] for worker in cached.cache_stats for table in worker.values())


def test_the_consistency_of_all_tables():
    for strategy in ("server", "hybrid"):
        for staleness, model in ((0, BSP()), (3, SSP(3)), (math.inf, ASP())):
            job = Job(tables_of(LOG, 8), LOG.num_dense, strategy, staleness=staleness, bottom=(8, 8), top=(8, 1))
            assert {table.consistency for table in job.kv_tables()} == {model}


@pytest.mark.parametrize(("settings", "words"), [
    ({"staleness": -1}, "staleness=-1"), ({"staleness": 0.5}, "staleness=0.5"),
    ({"staleness": "inf"}, "staleness='inf'"),
    ({"cache_rows": -1}, "cache_rows=-1"), ({"cache_rows": 2.0}, "cache_rows=2.0"),
    ({"strategy": "allreduce", "staleness": 1}, "staleness=1; strategy 'allreduce' has no servers"),
    ({"strategy": "allreduce", "cache_rows": 5}, "cache_rows=5; strategy 'allreduce' has no servers"),
    ({"strategy": "single", "workers": 1, "staleness": math.inf}, "staleness=inf; strategy 'single' has no servers")])
def test_what_makes_no_sense_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Job(tables_of(LOG, 8), LOG.num_dense, bottom=(8, 8), top=(8, 1), **settings)
