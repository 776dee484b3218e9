"""Bags over servers, whose worker keeps copies of rows: the same training, in fewer bytes."""

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.data import KeyedJaggedTensor
from pslab.embedding import LFU, LRU, EmbeddingBagConfig, ShardedEmbeddingBagCollection, table_configs
from pslab.ps import AdaGrad, Integers, KVServer, KVWorker, serve

TABLES = [EmbeddingBagConfig(9, 32, "hot"), EmbeddingBagConfig(40, 32, "cold")]
STEPS, WORKERS = 12, 2


def batch(worker, step):
    """`hot` is looked up by all in every step, and worker 0 alone steps it, every third time."""
    draw = np.random.default_rng([worker, step])
    return KeyedJaggedTensor(["hot", "cold"], np.concatenate([draw.integers(0, 4, 6), draw.integers(0, 40, 3)]),
                             [2, 2, 2, 1, 1, 1])


def program(comm, keeps):
    tables = table_configs(TABLES, AdaGrad(0.5), init=Integers(-8, 9))
    servers = range(WORKERS, comm.world_size)
    if comm.rank >= WORKERS:
        return serve(comm, KVServer(tables, comm.rank - WORKERS, len(servers), range(WORKERS)))
    policy = {"lru": LRU, "lfu": LFU}.get(keeps)
    with KVWorker(comm, servers, tables, cache_rows=14 if keeps else 0, cache_policy=policy) as kv:
        bags = ShardedEmbeddingBagCollection(TABLES, kv)
        outs = []
        for step in range(STEPS):
            features = batch(comm.rank, step)
            with torch.set_grad_enabled(comm.rank == 0 and step % 3 == 0):
                out = bags(features).values
            if out.requires_grad:
                out.backward(torch.full_like(out, step + 1.0))
            kv.clock()
            outs.append(out.detach())
        return outs


def outs_of(run):
    return [out for worker in range(WORKERS) for out in run.results[worker]]


@pytest.mark.parametrize("keeps", ["copies", "lru", "lfu"])
def test_under_bsp_bags_are_those_without_copies_bit_for_bit(keeps):
    without, with_copies = (SimWorld(WORKERS + 2).run(program, how) for how in (None, keeps))
    assert all(torch.equal(one, other) for one, other in zip(outs_of(without), outs_of(with_copies), strict=True))
    assert with_copies.ledger.total() < without.ledger.total()
