"""A table out of its servers and into others: nothing lost, and a job that goes on as if it had never stopped."""

import numpy as np
import pytest
import torch
from ps_jobs import job

from pslab.comm import SimWorld
from pslab.ps import (
    ASP,
    BSP,
    SGD,
    AdaGrad,
    Adam,
    HashPartition,
    KVServer,
    KVWorker,
    RangePartition,
    RowWiseAdaGrad,
    TableConfig,
    Uniform,
    merge_state_dicts,
    serve,
)

DIM = 3
TABLES = [TableConfig("user", DIM, 17, Adam(0.01), BSP(), init=Uniform(1.0, seed=1)),
          TableConfig("item", 2, None, RowWiseAdaGrad(0.5), BSP(), HashPartition(2), Uniform(1.0, seed=2)),
          TableConfig("half", 4, 9, AdaGrad(0.5), BSP(), HashPartition(3), Uniform(1.0, seed=3), "bfloat16"),
          TableConfig("late", 2, None, Adam(0.02), ASP(), init=Uniform(1.0, seed=4))]
POOL = np.array([-2**63, 5, 2**63 - 1, 77, -4, 10**12])


def rounds(kv, steps):
    seen = []
    for step in steps:
        rng = np.random.default_rng(step)
        for table in TABLES:
            keys = rng.choice(POOL if table.num_rows is None else table.num_rows, 5)
            seen.append(kv.wait(kv.pull(keys, table.name)).clone())
            kv.push(keys, rng.standard_normal((5, table.dim), np.float32), table.name)
        kv.clock()
    return seen


def run(servers, steps, before=None):
    """One worker; what it saw, and the servers' exports."""
    def program(comm):
        if comm.rank == 0:
            with KVWorker(comm, range(1, comm.world_size), TABLES) as kv:
                return rounds(kv, steps)
        server = KVServer(TABLES, comm.rank - 1, servers, [0])
        if before is not None:
            server.load_state_dict(before)
        serve(comm, server)
        return server.state_dict()
    results = SimWorld(1 + servers).run(program).results
    return results[0], results[1:]


@pytest.mark.parametrize(("first", "then"), [(1, 1), (3, 2), (2, 4), (1, 3)])
def test_a_job_goes_on_from_an_export_on_another_number_of_servers(first, then):
    """Adam under BSP, whose t counts on: the same bits as without a stop (ASP's t depends on the number of servers)."""
    through, ends = run(first, range(8))
    early, parts = run(first, range(5))
    late, after = run(then, range(5, 8), merge_state_dicts(parts))
    sure = [i for i in range(len(through)) if first == then or i % 4 < 3]
    seen = early + late
    assert all(torch.equal(through[i], seen[i]) for i in sure)
    whole, again = merge_state_dicts(ends), merge_state_dicts(after)
    assert whole.keys() == again.keys()
    for name in whole:
        if first == then or not name.startswith("late"):
            assert torch.equal(whole[name], again[name]), name


def test_an_export_is_tensors_by_key_in_order():
    _, parts = run(2, range(4))
    whole = merge_state_dicts(parts)
    assert {name: (tuple(t.shape), t.dtype) for name, t in whole.items() if name.startswith(("user", "half"))} == {
        "user.keys": ((17,), torch.int64), "user.rows": ((17, 3), torch.float32),
        **{f"user.state.{name}": ((17, 3), torch.float32) for name in Adam(0.01).state_names},
        "user.t": ((), torch.int64),
        "half.keys": ((9,), torch.int64), "half.rows": ((9, 4), torch.bfloat16),
        **{f"half.state.{name}": ((9, 4), torch.float32) for name in AdaGrad(0.5).state_names},
        "half.t": ((), torch.int64)}
    assert whole["user.keys"].tolist() == list(range(17))
    assert whole["item.keys"].tolist() == sorted(POOL[np.isin(POOL, whole["item.keys"])].tolist())
    assert whole["user.t"] == 4
    [state] = [t for name, t in whole.items() if name.startswith("item.state")]
    assert state.shape == (len(whole["item.keys"]), 1)              # one number a row, by this rule


def test_an_export_shares_no_memory_and_an_import_leaves_other_rows():
    table = TableConfig("t", 2, 6, AdaGrad(1.0), ASP(), init=Uniform(1.0, seed=5))
    server = KVServer([table], 0, 1, [0])
    exported = server.state_dict()
    exported["t.rows"] += 5
    assert np.array_equal(server.rows("t"), table.initial_rows())
    part = {name: tensor[[1, 4]] if tensor.ndim else tensor for name, tensor in exported.items()}
    server.load_state_dict(part)
    want = table.initial_rows()
    want[[1, 4]] += 5
    assert np.array_equal(server.rows("t"), want)
    part["t.rows"] += 1
    assert np.array_equal(server.rows("t"), want)


def test_an_imported_row_counts_as_written():
    """A later init does not undo an import."""
    for rows in (6, None):
        table = TableConfig("t", 2, rows, SGD(1.0), ASP(), RangePartition())

        def work(comm, kv):
            kv.init("t", [2, 3], np.ones((2, 2), np.float32))
            return kv.wait(kv.pull([2, 3], "t"))[:, 0].tolist()

        def program(comm, table=table, work=work):
            if comm.rank == 0:
                return job(comm, 1, [table], work)
            server = KVServer([table], 0, 1, [0])
            server.load_state_dict({"t.keys": torch.tensor([3]), "t.rows": torch.full((1, 2), 8.0),
                                    "t.t": torch.tensor(0)})
            return serve(comm, server)
        assert SimWorld(2).run(program).results[0]["result"] == [1, 8]


GOOD = {"t.keys": torch.tensor([1, 4]), "t.rows": torch.ones(2, 2), "t.t": torch.tensor(3),
        "t.state.sum": torch.ones(2, 2)}
BAD = {
    "another table": ({**GOOD, "u.keys": torch.tensor([1])}, "has a table 'u'; this server has"),
    "no rows": ({name: t for name, t in GOOD.items() if name != "t.rows"}, "'t.rows' is missing"),
    "another width": ({**GOOD, "t.rows": torch.ones(2, 3)},
                      r"'t.rows' is torch.float32\[2, 3\]; torch.float32\[2, 2\]"),
    "another dtype": ({**GOOD, "t.rows": torch.ones(2, 2).bfloat16()}, "torch.bfloat16"),
    "another rule": ({**GOOD, "t.state.other": torch.ones(2, 2)},
                     "'t.state.other' is in the export; the rule AdaGrad"),
    "a key beyond the end": ({**GOOD, "t.keys": torch.tensor([1, 6])}, r"outside of 0\.\.5"),
    "a key twice": ({**GOOD, "t.keys": torch.tensor([4, 4])}, "t.keys holds a key twice"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused_in_words_and_changes_nothing(case):
    tensors, words = BAD[case]
    [slot] = AdaGrad(1.0).state_names
    tensors = {name.replace("state.sum", f"state.{slot}"): tensor for name, tensor in tensors.items()}
    server = KVServer([TableConfig("t", 2, 6, AdaGrad(1.0))], 0, 1, [0])
    with pytest.raises(ValueError, match=words):
        server.load_state_dict(tensors)
    assert not server.rows("t").any()


def test_merging_refuses_what_does_not_belong_together():
    with pytest.raises(ValueError, match="parts is empty"):
        merge_state_dicts([])
    with pytest.raises(ValueError, match=r"differ in their tensors: \['t.state.sum'\]"):
        merge_state_dicts([GOOD, {name: t for name, t in GOOD.items() if "state" not in name}])
    with pytest.raises(ValueError, match="table 't': key 4 is in two exports"):
        merge_state_dicts([GOOD, {**GOOD, "t.keys": torch.tensor([4, 5])}])
