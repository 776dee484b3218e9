"""Tables of any 64-bit keys: the same rows as a dict of rows, on however many servers, by every partition and rule."""

import numpy as np
import pytest
import torch
from ps_jobs import check_stats, job

from pslab.comm import SimWorld
from pslab.ps import (
    ASP,
    BSP,
    SGD,
    SSP,
    AdaGrad,
    Adam,
    ConsistentHash,
    HashPartition,
    Integers,
    KVServer,
    KVWorker,
    Momentum,
    RangePartition,
    RowWiseAdaGrad,
    TableConfig,
    Uniform,
    serve,
)

DIM = 3
POOL = np.concatenate([[-2**63, 2**63 - 1, -1, 0, 1], np.random.default_rng(5).integers(-2**63, 2**63 - 1, 40)])
PARTITIONS = {"range": RangePartition(), "hash": HashPartition(3), "consistent": ConsistentHash(16, 3)}


def batch(worker, step):
    rng = np.random.default_rng([worker, step])
    keys = rng.choice(POOL, rng.integers(0, 12))            # in any order, some twice
    return keys, rng.integers(-8, 9, (len(keys), DIM)).astype(np.float32)


def train(comm, kv, rounds):
    seen = []
    for step in range(rounds):
        keys, grads = batch(comm.rank, step)
        seen.append([kv.wait(kv.pull(keys, "t")).clone(), kv.wait(kv.pull(POOL, "t")).clone(),
                     kv.wait(kv.pull(range(-3, 4), "t")).clone()])
        kv.push(keys[:5], grads[:5], "t")
        kv.push(keys[5:], grads[5:], "t")
        kv.push(range(-2, 3), np.full((5, DIM), comm.rank + 1.0, np.float32), "t")
        kv.clock()
    return seen


def dict_of_rows(table, workers, rounds):
    """BSP in one process: {key: row} before every round, by the rule itself on one row after the other."""
    rows, state, history = {}, {}, []

    def row(key):
        return rows[key] if key in rows else table.initial_rows(np.array([key]))[0]
    for step in range(rounds + 1):
        history.append({int(key): row(int(key)).copy() for key in (*POOL, *range(-3, 4))})
        sums = {}
        for worker in range(workers):
            keys, grads = batch(worker, step)
            for key, grad in zip(keys.tolist(), grads):
                sums[key] = sums.get(key, 0) + grad
            for key in range(-2, 3):
                sums[key] = sums.get(key, 0) + np.full(DIM, worker + 1.0, np.float32)
        for key, grad in sums.items():
            if key not in state:
                state[key] = table.rule.new_state(1, DIM)
            stepped = row(key).copy()[None]
            table.rule.step(stepped, np.array(grad, np.float32)[None].copy(), state[key], step + 1)
            rows[key] = stepped[0]
    return history


RULES = [SGD(0.5), Momentum(0.5, 0.5), AdaGrad(0.5, initial_accumulator=0.5), RowWiseAdaGrad(0.5), Adam(0.01)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("partition", PARTITIONS)
def test_rounds_are_those_of_a_dict_of_rows_on_any_number_of_servers(partition, rule):
    table = TableConfig("t", DIM, None, rule, partition=PARTITIONS[partition], init=Integers(-9, 10, seed=2))
    history = dict_of_rows(table, 2, 4)
    for servers in (1, 2, 3):
        run = SimWorld(2 + servers, seed=servers).run(job, 2, [table], train, 4)
        for worker in range(2):
            for step, (own, pool, line) in enumerate(run.results[worker]["result"]):
                want = history[step]
                assert np.array_equal(own, np.array([want[k] for k in batch(worker, step)[0].tolist()],
                                                    np.float32).reshape(-1, DIM)), (servers, step)
                assert np.array_equal(pool, [want[k] for k in POOL.tolist()]), (servers, step)
                assert np.array_equal(line, [want[k] for k in range(-3, 4)]), (servers, step)
        check_stats(run, 2)


def only(work, table, servers=1, **settings):
    """One worker's result, each server's (keys, rows), and the run."""
    def program(comm):
        if comm.rank:
            server = KVServer([table], comm.rank - 1, servers, [0])
            serve(comm, server)
            return server.keys("t"), server.rows("t"), server.stats()
        with KVWorker(comm, range(1, 1 + servers), [table], **settings) as kv:
            return work(kv)
    run = SimWorld(1 + servers).run(program)
    return run.results[0], run.results[1:], run


def test_reading_takes_no_memory_and_writing_makes_the_row():
    table = TableConfig("t", 2, None, SGD(1.0), ASP(), init=Uniform(1.0, seed=4))

    def work(kv):
        first = kv.wait(kv.pull([10**15, -7, 10**15], "t")).clone()
        kv.wait(kv.push([-7], np.ones((1, 2), np.float32), "t"))
        return first, kv.wait(kv.pull([-7, 8], "t"))
    (first, after), [(keys, rows, _)], _ = only(work, table)
    begin = table.initial_rows(np.array([10**15, -7, 8]))
    assert np.array_equal(first, begin[[0, 1, 0]])
    assert np.array_equal(after, [begin[1] - 1, begin[2]])
    assert keys.tolist() == [-7]
    assert np.array_equal(rows, begin[1:2] - 1)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_each_key_is_kept_by_its_owner_alone_and_first_values_do_not_depend_on_servers(partition):
    table = TableConfig("t", 2, None, SGD(0.0), ASP(), PARTITIONS[partition], Uniform(1.0, seed=4))
    for servers in (1, 2, 4):
        _, kept, _ = only(lambda kv: kv.wait(kv.push(POOL, np.zeros((len(POOL), 2), np.float32), "t")), table, servers)
        bound = table.partition.bind(None, servers)
        for index, (keys, rows, _) in enumerate(kept):
            assert keys.tolist() == sorted(POOL[bound.owner(POOL) == index].tolist())
            assert np.array_equal(rows, table.initial_rows(keys))
        assert sum(len(keys) for keys, _, _ in kept) == len(POOL)


def test_a_key_of_another_server_and_a_range_without_sense_are_refused_and_nothing_changes():
    from pslab.comm import Mail
    table = TableConfig("t", 1, None, SGD(1.0), ASP(), HashPartition(1))
    server, partition = KVServer([table], 0, 2, [0]), HashPartition(1).bind(None, 2)
    foreign = np.flatnonzero(partition.owner(np.arange(50)) == 1)[:2]
    for tensors, more, words in (([foreign, np.ones((2, 1), np.float32)], {}, "not this server's"),
                                 ([np.ones((50, 1), np.float32)], {"r": [0, 50]}, "not this server's"),
                                 ([np.ones((1, 1), np.float32)], {"r": [2**63 - 1, 2]}, "64-bit"),
                                 ([np.ones((1, 1), np.float32)], {"r": [0, 2**40]}, "not this server's")):
        [(_, mail)] = server.handle(Mail(0, "push", {"t": 0, "q": 1, "n": 0, "c": 0, **more}, tensors), 0.0)
        assert mail.kind == "error"
        assert words in mail.meta["w"]
    assert len(server.keys("t")) == 0


def test_a_range_costs_no_key_bytes_and_uint64_keys_count_by_their_bits():
    table = TableConfig("t", 4, None, SGD(1.0), ASP(), init=Integers(-9, 10))

    def work(kv):
        kv.wait(kv.push(range(2**62, 2**62 + 50), np.ones((50, 4), np.float32), "t"))
        kv.wait(kv.pull(slice(-5, 5), "t"))
        kv.wait(kv.push(np.array([2**64 - 1], np.uint64), np.ones((1, 4), np.float32), "t"))
        return kv.wait(kv.pull(torch.tensor([-1]), "t"))
    row, [(keys, _, _)], run = only(work, table)
    assert run.ledger.link(0, 1, "keys") == 16
    assert np.array_equal(row, table.initial_rows(np.array([-1])) - 1)
    assert keys.tolist() == [-1, *range(2**62, 2**62 + 50)]


BAD = {
    "slice without end": (slice(0, None), "no end"), "float keys": ([0.5], "float64"),
    "range beyond 64 bits": (range(2**63 - 1, 2**63 + 1), r"2\*\*63"), "step": (range(0, 9, 2), "step of 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_keys_are_refused_and_send_nothing(case):
    keys, words = BAD[case]
    table = TableConfig("t", 1, None, SGD(1.0), ASP())

    def work(kv):
        with pytest.raises(ValueError, match=words):
            kv.pull(keys, "t")
        return kv.stats()["t"]["pulls"]
    assert only(work, table)[0] == 0


@pytest.mark.parametrize("consistency", [BSP(), SSP(2), ASP()], ids=repr)
@pytest.mark.parametrize("servers", [1, 3])
def test_a_cache_reads_what_a_worker_without_one_reads(consistency, servers):
    table = TableConfig("t", DIM, None, AdaGrad(0.5), consistency, HashPartition(2), Uniform(1.0, seed=8))

    def work(kv):
        seen = []
        for step in range(12):
            keys, grads = batch(step % 2, step // 2)
            kv.push(keys, grads, "t")
            seen += [kv.wait(kv.pull(keys, "t")).clone(), kv.wait(kv.pull(POOL[::3], "t")).clone()]
            kv.clock()
        return torch.cat(seen)
    plain, cached = only(work, table, servers)[0], only(work, table, servers, cache_rows=20)[0]
    assert torch.equal(plain, cached)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_table_with_an_end_may_be_hashed_too(partition):
    """Scattered ownership of 0..R-1: rows, keys, ranges and more servers than rows."""
    table = TableConfig("t", 2, 11, SGD(1.0), ASP(), PARTITIONS[partition], Integers(-9, 10, seed=3))
    first = table.initial_rows()

    def work(kv):
        kv.wait(kv.push(range(2, 9), np.arange(14, dtype=np.float32).reshape(7, 2), "t"))
        kv.wait(kv.push([10, 0, 10], np.full((3, 2), 5, np.float32), "t"))
        return kv.wait(kv.pull([9, 10, 0, 4, 9], "t")), kv.wait(kv.pull(slice(None), "t"))
    want = first.copy()
    want[2:9] -= np.arange(14).reshape(7, 2)
    want[[10, 0]] -= [[10], [5]]
    for servers in (1, 2, 4, 20):
        (some, whole), kept, _ = only(work, table, servers)
        assert np.array_equal(some, want[[9, 10, 0, 4, 9]])
        assert np.array_equal(whole, want)
        assert sorted(np.concatenate([keys for keys, _, _ in kept]).tolist()) == list(range(11))
        for keys, rows, _ in kept:
            assert np.array_equal(rows, want[keys])
