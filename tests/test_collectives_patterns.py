"""reduce, scatter, gather and barrier in the simulator: values, bytes per port, order, time, inputs kept, refusals."""

import math
import re

import numpy as np
import pytest
import torch
from collectives_oracle import NUMPY_OP, expect_links, expect_seconds, inputs

from pslab import cost
from pslab.collectives import all_to_all, barrier, gather, reduce, scatter
from pslab.comm import Link, SimWorld

KS = (1, 2, 3, 4, 5, 7, 8)
BUSY = Link(latency_s=0.0, overhead_s=1e-3, bandwidth_Bps=1e5)
LONG = Link(latency_s=0.7e-3, overhead_s=0.3e-3, bandwidth_Bps=1e5)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128, torch.bool,
          torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64)


def lengths(K):
    return sorted({0, 1, K - 1, K + 1, 1000})


def reduced(comm, x, dst, op):
    assert reduce(comm, x, dst, op) is None
    return x


def ports(run):
    return [cost.Port(*run.ledger.port(rank)) for rank in range(run.ledger.world_size)]


# ---- reduce ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("K", KS)
def test_reduce_to_every_rank(K):
    for P in lengths(K):
        for dst in range(K) if P == K + 1 else (K - 1,):
            given = inputs(K, P)
            for link in (BUSY, LONG):
                run = SimWorld(K, link=link).run(reduced, per_rank=[(x.copy(), dst, "sum") for x in given])
                for rank, result in enumerate(run.results):
                    np.testing.assert_array_equal(result, sum(given) if rank == dst else given[rank],
                                                  err_msg=f"rank {rank}: only dst's tensor changes")
                expect_seconds(run, math.ceil(math.log2(K)) * (1e-3 + 4 * P / 1e5))
            traffic = cost.binomial_reduce(4 * P, K, dst)
            assert ports(run) == list(traffic.ports)
            assert traffic.seconds(1e-3, 1e5) == pytest.approx(run.seconds, rel=1e-9)
            know, links = [dst], {}                      # the tree of broadcast, with every message turned round
            while len(know) < K:
                told = [(rank + len(know)) % K for rank in know][:K - len(know)]
                links |= {(hearer, teller): 4 * P for teller, hearer in zip(know, told)}
                know += told
            expect_links(run.ledger, links)
            assert [event.src for event in run.trace.events if event.dst == dst] == (
                [(dst + 2**j) % K for j in reversed(range(math.ceil(math.log2(K))))]), "the smallest subtree first"


@pytest.mark.parametrize("op", NUMPY_OP)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reduce_every_op_and_dtype(op, dtype):
    K, P = 5, 6
    given = [torch.tensor([(j * K + r) % 3 + 1 for j in range(P)]).to(dtype) for r in range(K)]
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if (op == "mean" and whole) or (op in ("max", "min") and dtype.is_complex):
        with pytest.raises(ValueError, match=f"op='{op}' on .*; "):
            SimWorld(K).run(reduced, per_rank=[(x.clone(), 1, op) for x in given])
        return
    wide = torch.stack(given).to(torch.complex128 if dtype.is_complex else torch.float64)
    expected = {"sum": wide.sum(0), "prod": wide.prod(0), "mean": wide.mean(0)}.get(op)
    if expected is None:
        expected = wide.amax(0) if op == "max" else wide.amin(0)
    results = SimWorld(K).run(reduced, per_rank=[(x.clone(), 1, op) for x in given]).results
    for rank, result in enumerate(results):
        right = expected.to(dtype) if rank == 1 else given[rank]
        assert result.dtype is dtype
        rtol = 1e-2 if dtype.itemsize == 2 else 1e-6
        torch.testing.assert_close(result.to(wide.dtype), right.to(wide.dtype), rtol=rtol, atol=0)


def test_reduce_of_layouts_on_groups():
    def program(comm):
        group = comm.split(comm.rank % 2, key=-comm.rank)
        base = np.arange(12.0).reshape(3, 4) + comm.rank
        kept = base.copy()
        turned, strided = torch.from_numpy(base).t(), base.reshape(-1)[::2]
        base.flags.writeable = group.rank == 1           # only dst's is written
        reduce(group, turned if group.rank == 1 else torch.from_numpy(kept).t(), 1)
        once = base.copy()
        reduce(group, strided, 1, "max")
        return once, base, kept

    for rank, (once, twice, kept) in enumerate(SimWorld(5).run(program).results):
        members = list(range(rank % 2, 5, 2))[::-1]
        if rank != members[1]:
            np.testing.assert_array_equal(twice, kept)
            continue
        np.testing.assert_array_equal(once, np.arange(12.0).reshape(3, 4) * len(members) + sum(members))
        others = np.stack([once] + [np.arange(12.0).reshape(3, 4) + r for r in members if r != rank]).max(0)
        np.testing.assert_array_equal(twice.reshape(-1)[::2], others.reshape(-1)[::2])
        np.testing.assert_array_equal(twice.reshape(-1)[1::2], once.reshape(-1)[1::2])


# ---- scatter and gather ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("K", KS)
def test_scatter_and_gather(K):
    def there_and_back(comm, tensors, root):
        mine = scatter(comm, tensors if comm.rank == root else None, root)
        between = mine.clone()
        between += comm.rank                             # its own memory: the source's tensors must not feel it
        return mine, gather(comm, between, root), tensors

    for root in range(K):
        for sizes in ([4] * K, [0] * K, [(3 * r + 1) % 5 for r in range(K)]):
            given = [np.arange(n, dtype=np.float32) * K + r for r, n in enumerate(sizes)]
            run = SimWorld(K, link=BUSY).run(there_and_back, [x.copy() for x in given], root)
            for rank, (mine, gathered, tensors) in enumerate(run.results):
                np.testing.assert_array_equal(mine, given[rank])
                assert (gathered is None) == (rank != root)
                for r in range(K):
                    np.testing.assert_array_equal(tensors[r], given[r])
                    if gathered is not None:
                        np.testing.assert_array_equal(gathered[r], given[r] + r)
            out, back = cost.scatter([4 * n for n in sizes], root), cost.gather([4 * n for n in sizes], root)
            both = cost.add_traffic(out, back)
            assert ports(run) == list(both.ports)
            assert [e.dst for e in run.trace.events if e.src == root] == [(root + s) % K for s in range(1, K)]
            into = sorted((e for e in run.trace.events if e.dst == root), key=lambda e: e.start_s)
            assert [e.src for e in into] == [(root + s) % K for s in range(1, K)], "the right neighbour first"
            assert run.ledger.messages() == 2 * (K - 1)


@pytest.mark.parametrize("K", KS)
@pytest.mark.parametrize("sizes", ["even", "ragged"])
def test_time_of_scatter_and_gather(K, sizes):
    n = [11] * K if sizes == "even" else [(7 * r + 2) % 9 for r in range(K)]
    for root in {0, K - 1}:
        tensors = [np.zeros(size, np.float32) for size in n]
        for traffic, program in (
                (cost.scatter([4 * size for size in n], root),
                 lambda comm, root=root, tensors=tensors: scatter(comm, tensors if comm.rank == root else None, root)),
                (cost.gather([4 * size for size in n], root),
                 lambda comm, root=root, tensors=tensors: gather(comm, tensors[comm.rank], root))):
            expect_seconds(SimWorld(K, link=BUSY).run(program), traffic.seconds(1e-3, 1e5))
            late = SimWorld(K, link=LONG).run(program).seconds     # the latencies overlap: only the last one shows
            assert late == pytest.approx(traffic.seconds(0.3e-3, 1e5) + 0.7e-3 * (K > 1), rel=1e-9, abs=1e-15)


def test_shapes_travel_and_layouts_are_free():
    def program(comm):
        tensors = [torch.arange(6.0).reshape(2, 3).t(), torch.tensor(5.0), torch.arange(10.0)[::3], torch.empty(0, 4)]
        mine = scatter(comm, tensors if comm.rank == 2 else None, 2)
        again = gather(comm, mine.t() if mine.dim() == 2 else mine, dst=1)
        return mine, again

    results = SimWorld(4).run(program).results
    shapes = [tuple(mine.shape) for mine, _ in results]
    assert shapes == [(3, 2), (), (4,), (0, 4)]
    assert results[0][0].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert results[2][0].tolist() == [0, 3, 6, 9]
    assert [tuple(x.shape) for x in results[1][1]] == [(2, 3), (), (4,), (4, 0)]
    assert results[1][1][0].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_scattered_and_gathered(dtype):
    def program(comm):
        tensors = [(torch.arange(3) + r).to(dtype) for r in range(3)]
        return gather(comm, scatter(comm, tensors if comm.rank == 0 else None))

    gathered, *others = SimWorld(3).run(program).results
    assert others == [None, None]
    assert all(torch.equal(x, (torch.arange(3) + r).to(dtype)) and x.dtype is dtype for r, x in enumerate(gathered))


def test_patterns_on_groups_of_split_do_not_mix():
    def program(comm):
        group = comm.split(0 if comm.rank < 3 else 1)
        mine = scatter(group, [torch.tensor([10.0 * comm.rank + q]) for q in range(group.world_size)]
                       if group.rank == 1 else None, 1)
        x = mine.clone()
        reduce(group, x, dst=0, op="mean")
        barrier(group)
        return mine.item(), x.item(), gather(group, mine, 1)

    results = SimWorld(5).run(program).results
    assert [mine for mine, _, _ in results] == [10, 11, 12, 40, 41]
    assert [x for _, x, _ in results] == [11, 11, 12, 40.5, 41]
    assert torch.cat(results[1][2]).tolist() == [10, 11, 12]
    assert torch.cat(results[4][2]).tolist() == [40, 41]


# ---- barrier ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("K", KS)
def test_barrier_lets_nobody_go_before_the_last_has_come(K):
    def program(comm):
        comm.compute(comm.rank * 0.25)
        assert barrier(comm) is None
        return comm.now()

    run = SimWorld(K, link=BUSY).run(program)
    assert min(run.results) >= (K - 1) * 0.25
    assert run.seconds <= (K - 1) * 0.25 + math.ceil(math.log2(K)) * 1e-3 + 1e-12
    assert run.ledger.total() == run.ledger.messages() == 0


# ---- all_to_all, uneven ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("K", KS)
def test_time_of_an_uneven_all_to_all_is_below_its_closed_form(K):
    sizes = [[(5 * r + 3 * q) % 7 for q in range(K)] for r in range(K)]
    run = SimWorld(K, link=BUSY).run(lambda comm, rows: all_to_all(comm, [np.zeros(n, np.float32) for n in rows]),
                                     per_rank=[(row,) for row in sizes])
    traffic = cost.all_to_all([[4 * n for n in row] for row in sizes])
    assert ports(run) == list(traffic.ports)
    busiest = max((port.busiest for port in traffic.ports), default=0)
    low = (K - 1) * 1e-3 + busiest / 1e5
    assert low * (1 - 1e-9) <= run.seconds <= traffic.seconds(1e-3, 1e5) * (1 + 1e-9)


# ---- refusals --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("bad", [-1, 3, 1.0, "0", None, True])
def test_roots_outside_the_group(bad):
    calls = {"dst": (lambda comm: reduce(comm, torch.ones(2), bad), lambda comm: gather(comm, torch.ones(2), bad)),
             "src": (lambda comm: scatter(comm, [torch.ones(2)] * 3, bad),)}
    for argument, programs in calls.items():
        for program in programs:
            with pytest.raises(ValueError, match=re.escape(f"{argument}={bad!r}; this group has ranks 0..2")):
                SimWorld(3).run(program)


@pytest.mark.parametrize(("call", "known"), [
    (lambda c, a: reduce(c, torch.ones(2), algorithm=a), "binomial"),
    (lambda c, a: scatter(c, [torch.ones(2)] * c.world_size if c.rank == 0 else None, algorithm=a), "direct"),
    (lambda c, a: gather(c, torch.ones(2), algorithm=a), "direct")])
def test_algorithms_are_validated(call, known):
    for K in (1, 3):
        for good in ("auto", known):
            SimWorld(K).run(call, good)
        for bad in ("teleport", "", None):
            with pytest.raises(ValueError, match=re.escape(f"algorithm={bad!r}; allowed: auto, {known}")):
                SimWorld(K).run(call, bad)


@pytest.mark.parametrize(("tensors", "message"), [
    ([torch.ones(1)] * 2, "tensors has 2 entries; one for each of the 3 ranks is needed"),
    ([], "tensors has 0 entries; one for each of the 3 ranks is needed"),
    (None, "tensors is a NoneType; a list of 3 tensors, one for each rank, is needed"),
    ([torch.ones(1), 2.0, torch.ones(1)], "tensors[1] is a float; a torch.Tensor or a NumPy array is needed"),
    ([torch.ones(1), torch.ones(1).double(), torch.ones(1)], "tensors[1] is float64 and tensors[0] is float32")])
def test_what_scatter_refuses(tensors, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        SimWorld(3).run(lambda comm: scatter(comm, tensors if comm.rank == 0 else None))


def test_scatter_from_two_ranks_is_refused():
    with pytest.raises(ValueError, match=r"tensors was given by rank 1, but src=0; None is allowed on all other ranks"):
        SimWorld(2).run(lambda comm: scatter(comm, [torch.ones(1)] * 2))


def test_gather_of_different_dtypes_and_reduce_of_different_lengths():
    with pytest.raises(ValueError, match="ranks disagree: collective call 1 of ranks 0, 1"):
        SimWorld(2).run(lambda comm, x: gather(comm, x), per_rank=[(torch.ones(1),), (torch.ones(1).double(),)])
    for odd in (torch.ones(5), torch.ones(4).double()):
        with pytest.raises(ValueError, match="ranks disagree: collective call 1 of ranks 0-2"):
            SimWorld(3).run(lambda comm, x: reduce(comm, x), per_rank=[(torch.ones(4),)] * 2 + [(odd,)])
    with pytest.raises(ValueError, match="op='average'; allowed: sum, max, min, prod, mean"):
        SimWorld(1).run(lambda comm: reduce(comm, torch.ones(1), op="average"))
    with pytest.raises(ValueError, match="tensor is expanded"):
        SimWorld(1).run(lambda comm: reduce(comm, torch.ones(1).expand(3)))
