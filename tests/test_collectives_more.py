"""The other algorithms of broadcast, reduce, reduce_scatter, all_gather, scatter and gather, in the simulator: values,
bytes on every port, messages and time, each against a closed form; every dtype, layout and length.
"""

import math
import re

import numpy as np
import pytest
import torch
from collectives_oracle import expect_seconds, inputs

from pslab import cost
from pslab.collectives import all_gather, broadcast, fit, gather, reduce, reduce_scatter, scatter
from pslab.comm import CommError, Link, ProcessWorld, SimWorld

KS = (1, 2, 3, 4, 6, 7, 8)
BUSY, LONG = Link(0.0, 1e-3, 1e5), Link(0.7e-3, 0.3e-3, 1e5)
ALPHA_S, BANDWIDTH_BPS = 1e-3, 1e5
LONG_LINK = cost.AlphaBeta(1e-3, 1e5, 0.3e-3)
BROADCASTS = ("binomial", "direct", "scatter_all_gather")
REDUCES = ("binomial", "direct", "reduce_scatter_gather")


def lengths(K):
    return sorted({0, 1, K - 1, K + 1, 12 * K})


def ports(run):
    return [cost.Port(*run.ledger.port(rank)) for rank in range(run.ledger.world_size)]


def expect(run, traffic, even=True):
    """Ports to the byte; seconds exactly where pieces are even, else below."""
    assert ports(run) == list(traffic.ports)
    form_s = traffic.seconds(ALPHA_S, BANDWIDTH_BPS)
    if even:
        expect_seconds(run, form_s)
    assert run.seconds <= form_s * (1 + 1e-9)


def rooted(collective):
    def program(comm, x, root, algorithm, *op):
        assert collective(comm, x, root, *op, algorithm=algorithm) is None
        return x
    return program


# ---- broadcast and reduce --------------------------------------------------------------------------------------------

FORMS = {"broadcast": {
    "binomial": lambda P, K, root: cost.broadcast(4 * P, K, root),
    "direct": lambda P, K, root: cost.direct_broadcast(4 * P, K, root),
    "scatter_all_gather": lambda P, K, root: cost.scatter_all_gather(P, K, 4, root)}, "reduce": {
    "binomial": lambda P, K, root: cost.binomial_reduce(4 * P, K, root),
    "direct": lambda P, K, root: cost.direct_reduce(4 * P, K, root),
    "reduce_scatter_gather": lambda P, K, root: cost.reduce_scatter_gather(P, K, 4, root)}}


@pytest.mark.parametrize("algorithm", BROADCASTS)
@pytest.mark.parametrize("K", KS)
def test_broadcast(K, algorithm):
    for P in lengths(K):
        for src in range(K) if P == K + 1 else (K - 1,):
            given = inputs(K, P)
            for link in (BUSY, LONG):
                run = SimWorld(K, link=link).run(
                    rooted(broadcast), per_rank=[(x.copy(), src, algorithm) for x in given])
                for rank, result in enumerate(run.results):
                    np.testing.assert_array_equal(result, given[src], err_msg=f"rank {rank}")
                if link is BUSY:
                    expect(run, FORMS["broadcast"][algorithm](P, K, src), even=P % K == 0)
            if P % K == 0:
                assert run.seconds == pytest.approx(cost.broadcast_s(algorithm, P, K, LONG_LINK), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("algorithm", REDUCES)
@pytest.mark.parametrize("K", KS)
def test_reduce(K, algorithm):
    for P in lengths(K):
        for dst in range(K) if P == K + 1 else (K - 1,):
            given = inputs(K, P)
            for link in (BUSY, LONG):
                run = SimWorld(K, link=link).run(
                    rooted(reduce), per_rank=[(x.copy(), dst, algorithm, "sum") for x in given])
                for rank, result in enumerate(run.results):
                    np.testing.assert_array_equal(result, sum(given) if rank == dst else given[rank],
                                                  err_msg=f"rank {rank}: only dst's tensor changes")
                if link is BUSY:
                    expect(run, FORMS["reduce"][algorithm](P, K, dst), even=P % K == 0)
            if P % K == 0:
                assert run.seconds == pytest.approx(cost.reduce_s(algorithm, P, K, LONG_LINK), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("collective", "names"), [(broadcast, BROADCASTS), (reduce, REDUCES)], ids=["bcast", "reduce"])
def test_auto_is_the_tree_and_after_fit_the_fastest(collective, names):
    winners = set()
    fastest = {broadcast: cost.fastest_broadcast, reduce: cost.fastest_reduce}[collective]
    for K, link in ((6, BUSY), (5, Link(1e-3, 0.0, 1e6)), (3, BUSY)):
        world = SimWorld(K, link=link)
        for P in (K, 600 * K):
            x = [(np.zeros(P, np.float32), 1, name) for name in (*names, "auto")]
            runs = {name: world.run(rooted(collective), per_rank=[args] * K) for args in x for name in [args[2]]}
            assert runs["auto"].trace.to_bytes() == runs["binomial"].trace.to_bytes()
            fit(world)
            chosen = world.run(rooted(collective), per_rank=[x[-1]] * K)
            world.model = None
            best_s = min(runs[name].seconds for name in names)
            assert chosen.seconds == pytest.approx(best_s, rel=1e-9)
            winners.add(fastest(P, K, cost.AlphaBeta(link.latency_s + link.overhead_s, link.bandwidth_Bps,
                                                     link.overhead_s)).algorithm)
    assert winners >= ({"binomial", "scatter_all_gather", "direct"} if collective is broadcast else set(names[::2]))


# ---- reduce_scatter --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("K", KS)
def test_pairwise_reduce_scatter(K):
    for P in lengths(K):
        given = inputs(K, P)
        run = SimWorld(K, link=BUSY).run(lambda comm, x: (reduce_scatter(comm, x, algorithm="pairwise"), x),
                                         per_rank=[(x.copy(),) for x in given])
        for rank, (mine, x) in enumerate(run.results):
            np.testing.assert_array_equal(mine, np.array_split(sum(given), K)[rank])
            np.testing.assert_array_equal(x, given[rank], err_msg="the input is only read")
        expect(run, cost.pairwise_reduce_scatter(P, K), even=P % K == 0)
        assert run.ledger.messages() == K * (K - 1)
        for rank in range(K):
            for src in set(range(K)) - {rank}:
                assert run.ledger.link(src, rank) == 4 * len(np.array_split(given[0], K)[rank])


# ---- all_gather ------------------------------------------------------------------------------------------------------

def gathered(comm, x, algorithm):
    return all_gather(comm, x, algorithm=algorithm), x


@pytest.mark.parametrize("algorithm", ["direct", "bruck"])
@pytest.mark.parametrize("K", KS)
def test_all_gather(K, algorithm):
    for n in (0, 1, 7):
        given = [x.reshape(n, 1) for x in inputs(K, n)]
        run = SimWorld(K, link=BUSY).run(gathered, per_rank=[(x.copy(), algorithm) for x in given])
        for pieces, x in run.results:
            assert len(pieces) == K
            for r in range(K):
                np.testing.assert_array_equal(pieces[r], given[r])
                pieces[r] += 1                           # everyone's own memory
            assert x.base is None or not np.may_share_memory(x, pieces[0].numpy())
        bruck = algorithm == "bruck"
        expect(run, cost.bruck_all_gather(4 * n, K) if bruck else cost.direct_all_gather([4 * n] * K))
        assert run.ledger.messages() == K * (math.ceil(math.log2(K)) if bruck else K - 1)


def test_direct_all_gather_of_ragged_pieces_and_long_lines():
    sizes = [3, 0, 9, 1]
    given = [x[:n] for x, n in zip(inputs(4, 9), sizes)]
    run = SimWorld(4, link=BUSY).run(gathered, per_rank=[(x, "direct") for x in given])
    for pieces, _ in run.results:
        assert [piece.tolist() for piece in pieces] == [x.tolist() for x in given]
    expect(run, cost.direct_all_gather([4 * n for n in sizes]), even=False)
    late = SimWorld(4, link=LONG).run(gathered, per_rank=[(x, "direct") for x in inputs(4, 9)])
    assert late.seconds == pytest.approx(3 * (0.3e-3 + 36 / 1e5) + 0.7e-3), "the latencies pass together"


def test_bruck_needs_one_shape():
    for odd in ((1,), (2, 2), (4, 1)):
        with pytest.raises((CommError, ValueError), match=r"ranks disagree|rank \d sent .* but rank \d receives"):
            SimWorld(3).run(gathered, per_rank=[(np.ones(4), "bruck")] * 2 + [(np.ones(odd), "bruck")])


# ---- scatter and gather ----------------------------------------------------------------------------------------------

def there_and_back(comm, tensors, root):
    mine = scatter(comm, tensors if comm.rank == root else None, root, algorithm="binomial")
    between = mine.clone()
    between += comm.rank                                 # its own memory
    return mine, gather(comm, between, root, algorithm="binomial"), tensors


@pytest.mark.parametrize("K", KS)
def test_scatter_and_gather_over_the_tree(K):
    for root in range(K):
        for shape in ((3,), (), (0,), (2, 2)):
            given = [np.array(np.arange(math.prod(shape)).reshape(shape) * K + r, np.float32) for r in range(K)]
            run = SimWorld(K, link=BUSY).run(there_and_back, given, root)
            for rank, (mine, back, tensors) in enumerate(run.results):
                np.testing.assert_array_equal(mine, given[rank])
                assert (back is None) == (rank != root)
                for r in range(K):
                    np.testing.assert_array_equal(tensors[r], given[r])
                    if back is not None:
                        np.testing.assert_array_equal(back[r], given[r] + r)
            n = 4 * math.prod(shape)
            expect(run, cost.add_traffic(cost.binomial_scatter(n, K, root), cost.binomial_gather(n, K, root)), False)
            assert run.ledger.messages() == 2 * (K - 1)


@pytest.mark.parametrize("K", KS)
def test_time_of_scatter_and_gather_over_the_tree(K):
    tensors = [np.zeros(50, np.float32)] * K
    out = SimWorld(K, link=BUSY).run(lambda comm: scatter(comm, tensors if comm.rank == 0 else None,
                                                          algorithm="binomial"))
    expect_seconds(out, cost.binomial_scatter(200, K).seconds(ALPHA_S, BANDWIDTH_BPS))
    back = SimWorld(K, link=BUSY).run(lambda comm: gather(comm, tensors[0], algorithm="binomial"))
    form_s = cost.binomial_gather(200, K).seconds(ALPHA_S, BANDWIDTH_BPS)
    assert back.seconds <= form_s * (1 + 1e-9)
    if K & (K - 1) == 0:
        expect_seconds(back, form_s)


def test_the_tree_needs_one_shape():
    ragged = [torch.ones(2), torch.ones(3), torch.ones(2)]
    with pytest.raises(ValueError, match=re.escape("tensors[1] has the shape [3] and tensors[0] [2]; algorithm=")):
        SimWorld(3).run(lambda comm: scatter(comm, ragged if comm.rank == 0 else None, algorithm="binomial"))
    for odd in ((3,), (1, 2)):
        with pytest.raises((CommError, ValueError), match=r"ranks disagree|rank \d sent .* but rank \d receives"):
            SimWorld(3).run(lambda comm, odd=odd: gather(comm, torch.ones(odd if comm.rank == 2 else 2),
                                                         algorithm="binomial"))


# ---- everything ------------------------------------------------------------------------------------------------------

DTYPES = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
          torch.float32, torch.float64, torch.complex64, torch.complex128)


def all_of_it(comm, P, dtype, seed):
    """Every algorithm of every pattern, on drawn whole numbers; drawn in the rank."""
    K, rank = comm.world_size, comm.rank
    draw = torch.Generator().manual_seed(seed * 10 + rank)

    def numbers(n=P):
        return torch.randint(0, 3, (n,), generator=draw).to(dtype)

    results = []
    for root in (0, K - 1):
        for algorithm in BROADCASTS:
            x = numbers()
            broadcast(comm, x, root, algorithm=algorithm)
            results.append(x)
        for algorithm in REDUCES:
            x = numbers()
            reduce(comm, x, root, algorithm=algorithm)
            results.append(x)
        whole = [numbers() for _ in range(K)]
        mine = scatter(comm, whole if rank == root else None, root, algorithm="binomial")
        results += [mine, *(gather(comm, mine, root, algorithm="binomial") or [])]
    for algorithm in ("ring", "direct", "bruck"):
        results += all_gather(comm, numbers(), algorithm=algorithm)
    for algorithm in ("ring", "pairwise"):
        results.append(reduce_scatter(comm, numbers(), algorithm=algorithm))
    wide = numbers(2 * P)
    broadcast(comm, wide[::2], algorithm="scatter_all_gather")
    reduce(comm, wide[1::2], K - 1, algorithm="reduce_scatter_gather")
    group = comm.split(rank % 2)
    results += all_gather(group, wide[::2], algorithm="bruck")
    broadcast(group, wide[1::2], algorithm="direct")
    results.append(reduce_scatter(group, wide[1::2], algorithm="pairwise"))
    return [*results, wide]


def expected_of(rank, K, P, dtype, seed):
    """The same by torch, from everyone's draws."""
    draws = [torch.Generator().manual_seed(seed * 10 + r) for r in range(K)]

    def numbers(n=P):
        return [torch.randint(0, 3, (n,), generator=draw).to(dtype) for draw in draws]

    def total(given):
        wide = torch.complex128 if dtype.is_complex else torch.float64 if dtype.is_floating_point else torch.int64
        summed = torch.stack(given).to(wide).sum(0)
        return (summed > 0) if dtype is torch.bool else summed.to(dtype)

    results = []
    for root in (0, K - 1):
        results += [numbers()[root] for _ in BROADCASTS]
        for _ in REDUCES:
            given = numbers()
            results.append(total(given) if rank == root else given[rank])
        whole = [numbers() for _ in range(K)]
        results.append(whole[rank][root])
        results += [whole[r][root] for r in range(K)] if rank == root else []
    for _ in range(3):
        results += numbers()
    for _ in range(2):
        results.append(torch.tensor_split(total(numbers()), K)[rank])
    wide = numbers(2 * P)
    for x in wide[1:]:
        x[::2] = wide[0][::2]
    wide[K - 1][1::2] = total([x[1::2] for x in wide])
    members = list(range(rank % 2, K, 2))
    results += [wide[r][::2] for r in members]
    first = wide[members[0]][1::2]
    results.append(torch.tensor_split(total([first] * len(members)), len(members))[members.index(rank)])
    wide[rank][1::2] = first
    return [*results, wide[rank]]


def expect_same(results, expected):
    assert len(results) == len(expected)
    for i, (one, other) in enumerate(zip(results, expected)):
        assert one.dtype is other.dtype
        assert torch.equal(one, other), f"result {i}"


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_layout_length_and_group(dtype):
    for K in (2, 3, 5):
        for P in (0, 1, K - 1, 11):
            for rank, results in enumerate(SimWorld(K, trace=False).run(all_of_it, P, dtype, 4).results):
                expect_same(results, expected_of(rank, K, P, dtype, 4))


@pytest.mark.parametrize(("K", "transport"), [(3, "shm"), (4, "tcp")])
def test_processes_get_the_same_with_the_same_bytes(K, transport):
    with ProcessWorld(K, transport=transport) as world:
        for P, dtype in ((3, torch.bfloat16), (40_001, torch.float32)):
            real, virtual = world.run(all_of_it, P, dtype, 2), SimWorld(K, trace=False).run(all_of_it, P, dtype, 2)
            for rank, results in enumerate(real.results):
                expect_same(results, expected_of(rank, K, P, dtype, 2))
            np.testing.assert_array_equal(real.ledger.counts, virtual.ledger.counts)
            np.testing.assert_array_equal(real.ledger.sent, virtual.ledger.sent)


@pytest.mark.parametrize(("call", "known"), [
    (lambda c, a: broadcast(c, torch.ones(2), algorithm=a), "auto, binomial, direct, scatter_all_gather"),
    (lambda c, a: reduce(c, torch.ones(2), algorithm=a), "auto, binomial, direct, reduce_scatter_gather"),
    (lambda c, a: reduce_scatter(c, torch.ones(2), algorithm=a), "auto, ring, pairwise"),
    (lambda c, a: all_gather(c, torch.ones(2), algorithm=a), "auto, ring, direct, bruck"),
    (lambda c, a: gather(c, torch.ones(2), algorithm=a), "auto, direct, binomial"),
    (lambda c, a: scatter(c, [torch.ones(2)] * 2 if c.rank == 0 else None, algorithm=a), "auto, direct, binomial")])
def test_names_of_algorithms(call, known):
    for name in known.split(", "):
        SimWorld(2).run(call, name)
    for bad in ("teleport", "", None):
        with pytest.raises(ValueError, match=re.escape(f"algorithm={bad!r}; allowed: {known}")):
            SimWorld(2).run(call, bad)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cost.broadcast_s("tree", 1, 2, LONG_LINK), "algorithm='tree'; allowed: binomial, direct, scatter_all"),
    (lambda: cost.reduce_s("ring", 1, 2, LONG_LINK), "algorithm='ring'; allowed: binomial, direct, reduce_scatter"),
    (lambda: cost.broadcast_s("direct", -1, 2, LONG_LINK), "elements=-1"),
    (lambda: cost.reduce_s("direct", 1, 0, LONG_LINK), "K=0"), (lambda: cost.bruck_all_gather(4, 0), "K=0"),
    (lambda: cost.binomial_scatter(4, 2, 2), "src=2; ranks run from 0 to 1"),
    (lambda: cost.binomial_gather(4, 2, 2), "dst=2; ranks run from 0 to 1"),
    (lambda: cost.direct_broadcast(-4, 2), "payload_bytes=-4"), (lambda: cost.direct_all_gather([]), "=0; a whole"),
    (lambda: cost.pairwise_reduce_scatter(4, 2, 0), "itemsize=0")])
def test_bad_input_of_the_forms(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
