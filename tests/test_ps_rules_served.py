"""Every rule on servers, by every partition: rows and rule state are those of one table stepped in one place."""

import numpy as np
import pytest
import torch

from pslab.comm import SimWorld
from pslab.ps import (
    ASP,
    FTRL,
    SGD,
    AdaGrad,
    Adam,
    ConsistentHash,
    Custom,
    HashPartition,
    Integers,
    KVServer,
    KVWorker,
    Momentum,
    RangePartition,
    RMSProp,
    RowWiseAdaGrad,
    TableConfig,
    merge_state_dicts,
    serve,
)

WORKERS, SERVERS, ROWS, DIM, ROUNDS = 2, 3, 23, 3, 6


def clipped(rows, grads, state, t):
    state[0] += np.abs(grads)
    rows -= np.clip(grads, -1, 1) / (1 + state[0]) + t


RULES = [SGD(0.1), Momentum(0.1, 0.5), Momentum(0.1, 0.5, nesterov=True), AdaGrad(0.1, initial_accumulator=0.3),
         RowWiseAdaGrad(0.1, initial_accumulator=0.3), RMSProp(0.1), Adam(0.1), FTRL(0.1, l1=0.5),
         Custom(clipped, slots=1, start=0.5, names=("size",))]


def batch(worker, clock):
    """Keys, some of them twice, of the even numbers, so that odd rows are never pushed; whole numbers."""
    rng = np.random.default_rng([worker, clock])
    keys = 2 * rng.integers(0, (ROWS + 1) // 2, 6)
    return keys, rng.integers(-4, 5, (6, DIM)).astype(np.float32)


def job(comm, table):
    if comm.rank >= WORKERS:
        server = KVServer([table], comm.rank - WORKERS, SERVERS, range(WORKERS))
        serve(comm, server)
        return server.state_dict()
    with KVWorker(comm, range(WORKERS, comm.world_size), [table]) as kv:
        for clock in range(ROUNDS):
            keys, grads = batch(comm.rank, clock)
            kv.push(keys, torch.from_numpy(grads), "t")
            kv.clock()
    return None


def in_one_place(rule):
    """One step of the rule a round, for the sums of all workers' gradients by row."""
    rows = TableConfig("t", DIM, ROWS, init=Integers(-3, 4)).initial_rows()
    state = rule.new_state(ROWS, DIM)
    for clock in range(ROUNDS):
        keys, grads = (np.concatenate(parts) for parts in zip(*[batch(worker, clock) for worker in range(WORKERS)]))
        pushed = np.unique(keys)
        sums = np.stack([grads[keys == key].sum(axis=0) for key in pushed])
        some_rows, some_state = rows[pushed], state[:, pushed]
        rule.step(some_rows, sums, some_state, clock + 1)
        rows[pushed], state[:, pushed] = some_rows, some_state
    return rows, state


@pytest.mark.parametrize("partition", [RangePartition(), HashPartition(3), ConsistentHash(16)],
                         ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_rows_and_state_are_those_of_one_table(rule, partition):
    table = TableConfig("t", DIM, ROWS, rule=rule, partition=partition, init=Integers(-3, 4))
    run = SimWorld(WORKERS + SERVERS, engine="greenlets", trace=False).run(job, table)
    whole = merge_state_dicts(run.results[WORKERS:])
    rows, state = in_one_place(rule)
    assert np.array_equal(whole["t.keys"].numpy(), np.arange(ROWS))
    np.testing.assert_allclose(whole["t.rows"].numpy(), rows, rtol=1e-6, atol=1e-7)
    for name, slot in zip(rule.state_names, state):
        got = whole[f"t.state.{name}"].numpy()
        assert got.shape == (ROWS, rule.state_width(DIM))
        np.testing.assert_allclose(got, slot, rtol=1e-6, atol=1e-7)
    assert np.array_equal(whole["t.rows"].numpy()[1::2], table.initial_rows()[1::2])        # never pushed: to the bit


@pytest.mark.parametrize("rule", [Adam(0.1), FTRL(0.1), RowWiseAdaGrad(0.1)], ids=lambda rule: type(rule).__name__)
def test_tables_without_an_end(rule):
    """The same keys, spread over all 64 bits."""
    table = TableConfig("t", DIM, None, rule=rule, partition=ConsistentHash(16))

    def spread(comm):
        if comm.rank:
            server = KVServer([table], comm.rank - 1, SERVERS, [0])
            serve(comm, server)
            return server.state_dict()
        with KVWorker(comm, range(1, 1 + SERVERS), [table]) as kv:
            for clock in range(ROUNDS):
                keys, grads = batch(0, clock)
                kv.push(keys << 40, torch.from_numpy(grads), "t")
                kv.clock()
        return None
    whole = merge_state_dicts(SimWorld(1 + SERVERS).run(spread).results[1:])
    rows, state = np.zeros((ROWS, DIM), np.float32), rule.new_state(ROWS, DIM)
    for clock in range(ROUNDS):
        keys, grads = batch(0, clock)
        pushed = np.unique(keys)
        some_rows, some_state = rows[pushed], state[:, pushed]
        rule.step(some_rows, np.stack([grads[keys == key].sum(axis=0) for key in pushed]), some_state, clock + 1)
        rows[pushed], state[:, pushed] = some_rows, some_state
    at = whole["t.keys"].numpy() >> 40
    np.testing.assert_allclose(whole["t.rows"].numpy(), rows[at], rtol=1e-6, atol=1e-7)
    for name, slot in zip(rule.state_names, state):
        np.testing.assert_allclose(whole[f"t.state.{name}"].numpy(), slot[at], rtol=1e-6, atol=1e-7)


def test_without_rounds_t_counts_the_steps_of_a_server():
    """What Adam's bias correction goes by under ASP: every push that reaches this server is a step."""
    seen = []
    table = TableConfig("t", 1, 4, consistency=ASP(), rule=Custom(lambda rows, grads, state, t: seen.append(t)))

    def program(comm):
        if comm.rank:
            return serve(comm, KVServer([table], comm.rank - 1, 2, [0]))
        with KVWorker(comm, [1, 2], [table]) as kv:
            for keys in ([0], [0, 3], [3], [1]):            # server 0 has keys 0 and 1
                kv.wait(kv.push(keys, torch.ones(len(keys), 1), "t"))
                kv.clock()
        return None
    SimWorld(3).run(program)
    assert sorted(seen) == [1, 1, 2, 2, 3]
