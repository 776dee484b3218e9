"""Rows kept and sent in bfloat16: arithmetic in float32, one rounding to nearest even after each step, as in torch."""

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
    HashPartition,
    KVServer,
    KVWorker,
    RangePartition,
    RowWiseAdaGrad,
    TableConfig,
    Uniform,
    serve,
)
from pslab.ps.dtypes import bits_of, copy_of, stored, to_wire, values_of

DIM = 5
RULES = [SGD(0.5), AdaGrad(0.25), RowWiseAdaGrad(0.25), Adam(0.01)]


def table(rule=None, consistency=None, rows=40, partition=None):
    partition = partition or (RangePartition() if rows else HashPartition(4))
    return TableConfig("t", DIM, rows, rule or SGD(0.5), consistency or BSP(), partition, Uniform(1.0, seed=7),
                       dtype="bfloat16")


def rounded(values):
    return torch.as_tensor(values).to(torch.bfloat16).float()


def test_rounding_is_that_of_torch_also_for_ties_nan_and_infinity():
    special = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 3.4e38, 1e-45, -1e-40, 1 + 2**-8, 1 + 3 * 2**-8],
                       np.float32)
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    for values in (special, bits):
        kept = stored(values.copy(), "bfloat16")
        want = torch.from_numpy(values.copy()).to(torch.bfloat16)
        assert np.array_equal(values_of(kept, "bfloat16"), want.float().numpy(), equal_nan=True)
        assert np.array_equal(np.isnan(values_of(kept, "bfloat16")), np.isnan(values))
    assert values_of(stored(special[-2:], "bfloat16"), "bfloat16").tolist() == [1.0, 1 + 2**-6]     # ties go to even
    locked = special.copy()
    locked.flags.writeable = False
    assert np.array_equal(stored(locked, "bfloat16"), stored(special, "bfloat16"))


def test_float32_rows_are_never_copied():
    rows = np.ones((3, 2), np.float32)
    assert stored(rows, "float32") is values_of(rows, "float32") is to_wire(rows, "float32") is rows
    both = to_wire(np.ones((3, 2), np.uint16), "bfloat16")
    assert (both.dtype, bits_of(both).dtype) == (torch.bfloat16, np.uint16)
    assert torch.equal(copy_of(both), both)
    assert copy_of(both).data_ptr() != both.data_ptr()


def batch(worker, step):
    rng = np.random.default_rng([worker, step])
    keys = rng.integers(0, 40, 12)
    return torch.from_numpy(keys), torch.from_numpy(rng.standard_normal((12, DIM), np.float32))


def train(comm, kv, whole):
    seen = []
    for step in range(5):
        keys, grads = batch(comm.rank, step)
        rows = kv.wait(kv.pull(keys, "t"))
        assert rows.dtype == torch.bfloat16
        seen.append((rows.clone(), kv.wait(kv.pull(whole, "t")).clone()))
        kv.push(keys, grads if step % 2 else grads.bfloat16(), "t")
        kv.clock()
    return seen


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("rows", [40, None])
def test_rounds_are_those_of_float32_arithmetic_rounded_once(rule, rows):
    """Also what gradients lose on the way: sums of a worker's equal keys in float32, rounded, summed over workers."""
    config = table(rule, rows=rows)
    now, state, history = rounded(config.initial_rows(range(40))), rule.new_state(40, DIM), []
    for step in range(5):
        history.append(now)
        total, touched = torch.zeros(40, DIM), torch.zeros(40, dtype=torch.bool)
        for worker in range(2):
            keys, grads = batch(worker, step)
            grads = grads if step % 2 else rounded(grads)
            touched[keys] = True
            mine = torch.zeros(40, DIM)
            for key, grad in zip(keys.tolist(), grads):          # in their order, as sum_equal adds
                mine[key] += grad
            total += rounded(mine)
        at = np.flatnonzero(touched)
        block, part = now[touched].numpy().copy(), state[:, at]
        rule.step(block, total[touched].numpy().copy(), part, step + 1)
        now = now.clone()
        now[touched] = rounded(block)
        state[:, at] = part
    for servers in (1, 3):
        run = SimWorld(2 + servers).run(job, 2, [config], train, range(40))
        for worker in range(2):
            for step, (some, whole) in enumerate(run.results[worker]["result"]):
                assert torch.equal(whole.float(), history[step]), (servers, step)
                assert torch.equal(some.float(), history[step][batch(worker, step)[0]])
        check_stats(run, 2)


def only(work, config, servers=1, **settings):
    def program(comm):
        if comm.rank:
            server = KVServer([config], comm.rank - 1, servers, [0])
            serve(comm, server)
            return server.rows("t"), server.shards[0].rows.dtype
        with KVWorker(comm, range(1, 1 + servers), [config], **settings) as kv:
            return work(kv)
    run = SimWorld(1 + servers).run(program)
    return run.results[0], run.results[1:], run


@pytest.mark.parametrize("rows", [40, None])
def test_two_bytes_a_value_are_kept_and_sent(rows):
    config = table(rows=rows)

    def work(kv):
        kv.wait(kv.push(range(10), torch.ones(10, DIM), "t"))
        kv.wait(kv.set([3, 1], torch.ones(2, DIM).bfloat16(), "t"))
        return kv.wait(kv.pull([1, 2, 1], "t"))
    got, [(kept, dtype)], run = only(work, config)
    assert (kept.dtype, dtype) == (np.float32, np.uint16)
    assert (run.ledger.link(0, 1, "vals"), run.ledger.link(1, 0, "vals")) == (2 * DIM * 12, 2 * DIM * 2)
    assert run.ledger.link(0, 1, "keys") == 8 * (2 + 2)
    assert got.shape == (3, DIM)
    assert (got[[0, 2]] == 1).all()


@pytest.mark.parametrize("model", [BSP(), SSP(1), ASP()], ids=repr)
@pytest.mark.parametrize("rule", [SGD(0.5), RowWiseAdaGrad(0.25)], ids=lambda rule: type(rule).__name__)
def test_copies_in_a_cache_are_the_servers_rows_to_the_bit(model, rule):
    def work(kv):
        seen = []
        for step in range(10):
            keys, grads = batch(0, step)
            kv.push(keys, grads, "t")
            seen.append(kv.wait(kv.pull(keys, "t")).clone())
            kv.clock()
        return torch.cat(seen)
    config = table(rule, model)
    for servers in (1, 2):
        assert torch.equal(only(work, config, servers)[0], only(work, config, servers, cache_rows=25)[0])


def test_out_is_of_the_tables_dtype():
    config, out = table(), torch.zeros(3, DIM, dtype=torch.bfloat16)

    def work(kv):
        assert kv.wait(kv.pull([5, 2, 5], "t", out=out)) is out
        for wrong, seen in ((torch.zeros(3, DIM), "float32"), (np.zeros((3, DIM), np.uint16), "uint16")):
            with pytest.raises(ValueError, match=rf"out is {seen}\[3, 5\]; a contiguous, writable bfloat16\[3, 5\]"):
                kv.pull([5, 2, 5], "t", out=wrong)
        with pytest.raises(ValueError, match="dtype float64; bfloat16 or float32"):
            kv.push([1], torch.ones(1, DIM).double(), "t")
    only(work, config)
    assert torch.equal(out.float(), torch.from_numpy(config.initial_rows()[[5, 2, 5]]))


def test_a_server_refuses_rows_of_the_other_dtype():
    from pslab.comm import Mail
    for dtype, vals in (("bfloat16", torch.ones(1, DIM)), ("float32", torch.ones(1, DIM).bfloat16()),
                        ("bfloat16", torch.ones(1, DIM).to(torch.uint16))):
        server = KVServer([TableConfig("t", DIM, 4, dtype=dtype)], 0, 1, [0])
        [(_, mail)] = server.handle(Mail(0, "push", {"t": 0, "q": 1, "n": 0, "c": 0}, [torch.tensor([1]), vals]), 0.0)
        assert mail.kind == "error"
        assert f"vals is {str(vals.dtype)[6:]}[1, 5]; {dtype}[1, 5] is needed" in mail.meta["w"]
