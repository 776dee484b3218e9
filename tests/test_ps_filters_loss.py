"""Filters where mail is lost and where servers forget lists of keys: a push counts once, a read keeps its round."""

import random

import numpy as np
import torch
from ps_filter_jobs import job, rows_of, run_job

from pslab.comm import Faults, Mail, SimWorld
from pslab.ps import (
    ASP,
    BSP,
    SGD,
    SSP,
    ConsistentHash,
    HashPartition,
    KeyCaching,
    KVServer,
    RangePartition,
    SignificantlyModified,
    TableConfig,
    ValueCompression,
)
from pslab.ps.filters.key_caching import KeyLists, digest_of

EVERYTHING = [KeyCaching(2), ValueCompression("fp16"), SignificantlyModified(3.0)]
MODELS = [BSP(), SSP(1), ASP()]
PARTITIONS = [RangePartition(), HashPartition(), ConsistentHash()]


def counted(comm, kv):
    """Pushes with a known sum, the lists of keys coming back in turns; pulls asked for before them, read after."""
    for clock in range(4):
        keys = [[0, 1, 3], [1, 2, 3], [0, 2]][clock % 3]
        asked = kv.pull(keys, "t")
        kv.push(keys, torch.tensor([[1.0], [2.0], [4.0]])[:len(keys)] * 10**comm.rank, "t")
        kv.push(keys, torch.full((len(keys), 1), 8.0), "t")
        kv.wait(asked)
        kv.clock()


def truth(workers):
    rows = np.zeros(4)
    for clock in range(4):
        keys = [[0, 1, 3], [1, 2, 3], [0, 2]][clock % 3]
        for worker in range(workers):
            rows[keys] -= np.array([1.0, 2.0, 4.0])[:len(keys)] * 10**worker + 8
    return rows


def play(seed, filters, faults=None, **settings):
    workers, servers = 1 + seed % 3, 1 + seed // 3 % 2
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=MODELS[seed // 6 % 3],
                        partition=PARTITIONS[seed // 18 % 3])
    world = SimWorld(workers + servers, engine="greenlets", trace=False, faults=faults)
    run = world.run(job, [table], workers, counted, {**settings, "filters": filters})
    assert rows_of(run, workers)[1][:, 0].tolist() == truth(workers).tolist(), f"replay with seed {seed}"
    return run


def misfortune(seed):
    chance = random.Random(seed)
    return Faults(seed=seed, drop=chance.choice([0.1, 0.3, 0.5]), duplicate=chance.choice([0, 0.2, 0.5]),
                  reorder_s=chance.choice([0, 20e-6, 200e-6]))


def test_every_push_counts_once_where_mail_is_lost():
    asked = 0
    for seed in range(18):
        run = play(seed, EVERYTHING, misfortune(seed), retry_s=60e-6)
        asked += run.ledger.total("retry") > 0
    assert asked > 16


class Forgetful(KeyLists):
    """Loses every third list when it is asked for it."""

    asked = 0

    def get(self, digest):
        type(self).asked += 1
        if type(self).asked % 3 == 0:
            self._lists.pop(digest, None)
        return super().get(digest)


def test_a_server_that_forgets_asks_again_and_order_is_kept(monkeypatch):
    """Lossless and lossy; under BSP every pull sees its own round, though its keys may come after the next clock."""
    monkeypatch.setattr("pslab.ps.filters.server_end.KeyLists", Forgetful)
    for seed in range(6):
        play(seed, [KeyCaching()])
        play(seed, EVERYTHING, misfortune(seed), retry_s=60e-6)
    assert Forgetful.asked > 100

    def late_reads(comm, kv):
        asked = []
        for _ in range(6):
            asked.append(kv.pull([1, 2, 5], "t"))
            kv.push([1, 2, 5], torch.ones(3, 1), "t")
            kv.clock()
        return [kv.wait(timestamp).flatten().tolist() for timestamp in asked]
    run = run_job([KeyCaching()], late_reads, workers=2, table=TableConfig("t", 1, 8, rule=SGD(1.0)))
    assert run.ledger.total("retry") > 0                            # lists that were asked for
    for seen, _ in run.results[:2]:
        assert seen == [[-2.0 * clock] * 3 for clock in range(6)]


def test_letters_let_through_together_are_answered_as_if_one_by_one():
    """A pull of a range is answered by a view of the rows; the push behind it must not show in it."""
    table = TableConfig("t", 1, 4, rule=SGD(1.0), consistency=ASP())
    server, keys = KVServer([table], 0, 1, [0]), np.array([1, 2])
    hashed = {"t": 0, "q": 1, "n": 0, "c": 0, "h": [4, 2]}
    (_, which), = server.handle(Mail(0, "push", hashed, [torch.tensor([digest_of(keys)]), torch.ones(2, 1)]), 0.0)
    assert which.kind == "which"
    server.handle(Mail(0, "pull", {"t": 0, "q": 1, "c": 0, "r": [0, 4]}, []), 0.0)
    server.handle(Mail(0, "push", {"t": 0, "q": 2, "n": 0, "c": 0, "r": [0, 4]}, [torch.full((4, 1), 8.0)]), 0.0)
    answers = server.handle(Mail(0, "keys", which.meta, [torch.from_numpy(keys)]), 0.0)
    assert [answer.kind for _, answer in answers] == ["ack", "rows", "ack"]
    assert np.array(answers[1][1].tensors[0])[:, 0].tolist() == [0, -1, -1, 0]
    assert server.rows("t")[:, 0].tolist() == [-8, -9, -9, -8]
