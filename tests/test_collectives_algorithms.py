"""All-reduce by every algorithm, in the simulator: values, bytes per port, who sends what to whom and when, time.

The orders of messages are told here once more, by other means than in the kit: who knows what, as sets of elements.
"""

import math

import numpy as np
import pytest
import torch
from collectives_oracle import NUMPY_OP, expect_seconds, inputs

from pslab import cost
from pslab.collectives import all_reduce, gather, reduce, scatter
from pslab.comm import Link, SimWorld

KS = (1, 2, 3, 4, 5, 7, 8)
BUSY = Link(latency_s=0.0, overhead_s=1e-3, bandwidth_Bps=1e5)        # all of α keeps the port busy
LONG = Link(latency_s=0.7e-3, overhead_s=0.3e-3, bandwidth_Bps=1e5)   # most of α is the length of the line
OPS = ("sum", "max", "min", "prod", "mean")
CHOICES = {"ring": {}, "chunked_ring": {"chunks": 3}, "binomial": {}, "halving_doubling": {}, "recursive_doubling": {},
           "hierarchical": {"groups": 3}}


def lengths(K):
    return sorted({0, 1, K - 1, K + 1, 1000})


def program(comm, x, op, options):
    assert all_reduce(comm, x, op, **options) is None
    return x


def run_all(K, P, algorithm, op="sum", dtype=np.float32, link=BUSY, **options):
    """Run it, and hold the values to NumPy's."""
    given = inputs(K, P, dtype)
    options = {"algorithm": algorithm, **options}
    run = SimWorld(K, link=link).run(program, per_rank=[(x.copy(), op, options) for x in given])
    expected = NUMPY_OP[op](np.stack(given), axis=0).astype(dtype)
    for rank, result in enumerate(run.results):
        np.testing.assert_array_equal(result, expected, err_msg=f"{algorithm}, rank {rank}")
    return run


def expect_traffic(run, traffic, messages):
    """Bytes of every port as the closed form has them; {src: [(dst, n)]}, the messages of each rank in their order."""
    K = run.ledger.world_size
    assert [run.ledger.port(rank) for rank in range(K)] == [tuple(port) for port in traffic.ports]
    sent = {rank: [] for rank in range(K)}
    for event in sorted(run.trace.events, key=lambda e: e.start_s):
        sent[event.src].append((event.dst, event.payload_bytes))
    for rank in range(K):
        assert sent[rank] == messages[rank], f"rank {rank} sent {sent[rank]}, expected {messages[rank]}"
    assert run.ledger.messages() == sum(map(len, messages.values()))


def told_tree(members):
    """(teller, hearer) by round: who knows tells one more."""
    know, rounds = [members[0]], []
    while len(know) < len(members):
        told = members[len(know):2 * len(know)]
        rounds.append(list(zip(know, told)))
        know = know + told
    return rounds


def tree_messages(members, n):
    """Reduce to the first of members, then broadcast from there: every message of n bytes."""
    sent = {rank: [] for rank in members}
    rounds = told_tree(members)
    for pairs in reversed(rounds):
        for teller, hearer in pairs:
            sent[hearer].append((teller, n))
    up = {rank: list(each) for rank, each in sent.items()}
    down = {rank: [] for rank in members}
    for pairs in rounds:
        for teller, hearer in pairs:
            down[teller].append((hearer, n))
    return up, down


def ring_messages(K, sizes):
    """A piece begins at the right neighbour of its owner, and is sent on 2(K−1) times; sizes in bytes."""
    sent = {rank: [] for rank in range(K)}
    for step in range(2 * (K - 1)):
        for piece in range(K):
            src = (piece + 1 + step) % K
            sent[src].append(((src + 1) % K, sizes[piece]))
    return sent


def halving_messages(K, P, b):
    """Everyone's set of elements is told: partners split the set they share."""
    H = 2 ** int(math.log2(K))
    sent = {rank: [] for rank in range(K)}
    for rank in range(H, K):
        sent[rank].append((rank - H, P * b))
    care = {rank: list(np.array_split(np.arange(P), H)) for rank in range(H)}
    back = []
    for distance in [2**j for j in range(int(math.log2(H)))]:
        after = {}
        for rank in range(H):
            partner = rank + distance if rank // distance % 2 == 0 else rank - distance
            half = len(care[rank]) // 2
            low, high = care[rank][:half], care[rank][half:]
            kept, given = (low, high) if rank < partner else (high, low)
            sent[rank].append((partner, b * sum(map(len, given))))
            after[rank] = kept
            back.insert(0, (rank, partner, b * sum(map(len, kept))))
        care = after
    for rank, partner, n in back:
        sent[rank].append((partner, n))
    for rank in range(H, K):
        sent[rank - H].append((rank, P * b))
    return sent


@pytest.mark.parametrize("K", KS)
@pytest.mark.parametrize("link", [BUSY, LONG], ids=["busy", "long"])
def test_halving_doubling(K, link):
    for P in lengths(K):
        run = run_all(K, P, "halving_doubling", link=link)
        traffic = cost.halving_doubling_all_reduce(P, K, 4)
        expect_traffic(run, traffic, halving_messages(K, P, 4))
        form = traffic.seconds(1e-3, 1e5)
        if link is BUSY or P % 2 ** int(math.log2(K)) == 0:
            expect_seconds(run, form)
        else:                                            # unequal halves, and a port that is free during the latency
            assert form - traffic.rounds * 4 / 1e5 <= run.seconds <= form * (1 + 1e-9)


@pytest.mark.parametrize("K", KS)
@pytest.mark.parametrize("link", [BUSY, LONG], ids=["busy", "long"])
def test_recursive_doubling(K, link):
    """Told as sets of ranks: partners swap all they have heard of, until everyone has heard of everyone."""
    H = 2 ** int(math.log2(K))
    for P in lengths(K):
        run = run_all(K, P, "recursive_doubling", link=link)
        sent = {rank: [(rank - H, 4 * P)] if rank >= H else [] for rank in range(K)}
        heard = {rank: {rank, rank + H} & set(range(K)) for rank in range(H)}
        for distance in [2**j for j in range(int(math.log2(H)))]:
            partner = {rank: rank + distance if rank // distance % 2 == 0 else rank - distance for rank in range(H)}
            for rank in range(H):
                sent[rank].append((partner[rank], 4 * P))
            heard = {rank: heard[rank] | heard[partner[rank]] for rank in range(H)}
        assert all(each == set(range(K)) for each in heard.values())
        for rank in range(K - H):
            sent[rank].append((rank + H, 4 * P))
        traffic = cost.recursive_doubling_all_reduce(P, K, 4)
        expect_traffic(run, traffic, sent)
        expect_seconds(run, traffic.seconds(1e-3, 1e5))
        assert traffic.rounds == int(math.log2(H)) + 2 * (K > H)


@pytest.mark.parametrize("K", KS)
def test_binomial(K):
    for P in lengths(K):
        run = run_all(K, P, "binomial")
        traffic = cost.binomial_all_reduce(P, K, 4)
        up, down = tree_messages(list(range(K)), 4 * P)
        expect_traffic(run, traffic, {rank: up[rank] + down[rank] for rank in range(K)})
        expect_seconds(run, 2 * math.ceil(math.log2(K)) * (1e-3 + 4 * P / 1e5))
        assert traffic.seconds(1e-3, 1e5) == pytest.approx(run.seconds, rel=1e-9)
        late = run_all(K, P, "binomial", link=LONG).seconds
        assert late <= run.seconds * (1 + 1e-9), "a port that is free during the latency can only help"
        if K & (K - 1) == 0:
            assert late == pytest.approx(run.seconds, rel=1e-9)


@pytest.mark.parametrize("K", KS)
def test_chunked_ring(K):
    chunks = 3
    for P in lengths(K):
        run = run_all(K, P, "chunked_ring", chunks=chunks)
        traffic = cost.chunked_ring_all_reduce(P, K, chunks, 4)
        sent = {rank: [] for rank in range(K)}
        pieces = np.array_split(np.arange(P), K)
        sizes = [[4 * len(chunk) for chunk in np.array_split(piece, chunks)] for piece in pieces]
        for rank, whole in ring_messages(K, list(range(K))).items():
            for dst, piece in whole:
                sent[rank] += [(dst, n) for n in sizes[piece]]
        expect_traffic(run, traffic, sent)
        smallest = sizes[-1][-1]
        low = 2 * (K - 1) * chunks * (1e-3 + smallest / 1e5)
        high = 2 * (K - 1) * chunks * (1e-3 + sizes[0][0] / 1e5)
        assert low * (1 - 1e-9) <= run.seconds <= high * (1 + 1e-9)


@pytest.mark.parametrize("K", KS)
@pytest.mark.parametrize(("link", "regime"), [(BUSY, "port"), (LONG, "either"), (Link(9e-3, 1e-4, 1e5), "latency")],
                         ids=lambda x: x if isinstance(x, str) else "")
def test_time_of_the_chunked_ring(K, link, regime):
    for chunks in (1, 3):
        for per_chunk in (0, 20):
            P = K * chunks * per_chunk
            run = run_all(K, P, "chunked_ring", chunks=chunks, link=link)
            form = cost.chunked_ring_s(P, K, chunks, overhead_s=link.overhead_s, latency_s=link.latency_s,
                                       bandwidth_Bps=1e5)
            expect_seconds(run, form)
            if link is BUSY:
                expect_seconds(run, cost.chunked_ring_all_reduce(P, K, chunks, 4).seconds(1e-3, 1e5))
            if chunks == 1:
                ring = cost.ring_all_reduce(P, K, 4)
                expect_seconds(run, ring.seconds(link.latency_s + link.overhead_s, 1e5))


def test_chunks_hide_the_latency_of_long_lines():
    """K = 4, pieces of 10,000 bytes and lines as long as a piece: chunks bring nearly half of the time back."""
    link = Link(latency_s=10e-3, overhead_s=0.0, bandwidth_Bps=1e6)
    ring = run_all(4, 10_000, "ring", link=link).seconds
    assert ring == pytest.approx(6 * (10e-3 + 10e-3), rel=1e-9)
    times = [run_all(4, 10_000, "chunked_ring", chunks=m, link=link).seconds for m in (1, 2, 5, 10)]
    assert times == sorted(times, reverse=True)
    assert times[0] == pytest.approx(ring, rel=1e-9)
    assert times[-1] == pytest.approx(5 * 11e-3 + 10e-3 + 10e-3, rel=1e-9)


GROUPS = [([[0]], 1), ([[0, 1], [2, 3]], 4), ([[0, 2], [1, 3]], 4), ([[3, 1, 0], [2, 5, 4]], 6), ([[0], [1], [2]], 3),
          ([[1, 0, 2]], 3), ([[0, 1, 2, 3], [4]], 5), ([[6, 0], [5, 1, 2], [4, 3]], 7),
          ([[0, 1], [2, 3], [4, 5], [6, 7]], 8)]


@pytest.mark.parametrize(("groups", "K"), GROUPS, ids=lambda x: str(x) if isinstance(x, list) else "")
def test_hierarchical(groups, K):
    G = len(groups)
    for P in [*lengths(K), 24 * G]:
        run = run_all(K, P, "hierarchical", groups=groups)
        traffic = cost.hierarchical_all_reduce(P, groups, 4)
        sizes = [4 * len(piece) for piece in np.array_split(np.arange(P), G)]
        sent, leaders = {}, [group[0] for group in groups]
        for group, among in zip(groups, ring_messages(G, sizes).values()):
            up, down = tree_messages(group, 4 * P)
            for rank in group:
                middle = [(leaders[dst], n) for dst, n in among] if rank == group[0] else []
                sent[rank] = up[rank] + middle + down[rank]
        expect_traffic(run, traffic, sent)
        form = traffic.seconds(1e-3, 1e5)
        rounds = {math.ceil(math.log2(len(group))) for group in groups}
        if len(rounds) == 1 or P % G == 0:
            expect_seconds(run, form)
        assert form * (1 - 1e-9) - 2 * G * 4 / 1e5 <= run.seconds <= form * (1 + 1e-9)


def test_a_size_of_groups_is_blocks_of_neighbours():
    blocks = [[0, 1, 2], [3, 4, 5], [6]]
    one, other = run_all(7, 30, "hierarchical", groups=3), run_all(7, 30, "hierarchical", groups=blocks)
    assert one.trace.to_bytes() == other.trace.to_bytes()


def test_between_groups_only_leaders_speak():
    run = run_all(6, 100, "hierarchical", groups=[[0, 1, 2], [3, 4, 5]])
    across = {(s, d): run.ledger.link(s, d) for s in range(6) for d in range(6) if (s < 3) != (d < 3)}
    assert sum(across.values()) == across[0, 3] + across[3, 0] == 2 * (2 - 1) * 100 * 4


@pytest.mark.parametrize("algorithm", CHOICES)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.complex128], ids=lambda d: d.__name__)
def test_every_op(algorithm, op, dtype):
    if (op == "mean" and dtype is np.int64) or (op in ("max", "min") and dtype is np.complex128):
        with pytest.raises(ValueError, match=f"op='{op}' on .*; "):
            run_all(3, 4, algorithm, op, dtype, **CHOICES[algorithm])
        return
    for K, P in ((1, 3), (5, 4)):
        run_all(K, P, algorithm, op, dtype, **CHOICES[algorithm])


@pytest.mark.parametrize("algorithm", CHOICES)
def test_other_dtypes_against_torch(algorithm):
    for dtype in (torch.float16, torch.bfloat16, torch.complex64, torch.bool, torch.int8, torch.int16, torch.int32,
                  torch.uint8, torch.uint16, torch.uint32, torch.uint64):
        one_dtype_against_torch(algorithm, dtype)


def one_dtype_against_torch(algorithm, dtype):
    K = 5
    given = [torch.tensor([(j * K + r) % 4 for j in range(11)]).to(dtype) for r in range(K)]
    options = {"algorithm": algorithm, **CHOICES[algorithm]}
    for result in SimWorld(K).run(program, per_rank=[(x.clone(), "sum", options) for x in given]).results:
        assert result.dtype is dtype
        wide = torch.complex128 if dtype.is_complex else torch.float64
        assert torch.equal(result.to(wide), torch.stack(given).to(wide).sum(0).to(dtype).to(wide))


@pytest.mark.parametrize("algorithm", CHOICES)
def test_equal_bits_on_all_ranks(algorithm):
    K, P = 7, 1003
    g = torch.Generator().manual_seed(1)
    given = [torch.randn(P, generator=g) for _ in range(K)]
    options = {"algorithm": algorithm, **CHOICES[algorithm]}
    results = SimWorld(K).run(program, per_rank=[(x.clone(), "mean", options) for x in given]).results
    torch.testing.assert_close(results[0].double(), torch.stack(given).double().mean(0), rtol=1e-5, atol=1e-6)
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("algorithm", CHOICES)
def test_layouts_and_groups_of_split(algorithm):
    options = {"algorithm": algorithm, **CHOICES[algorithm]}

    def layouts(comm):
        group = comm.split(comm.rank % 2, key=-comm.rank)
        base = np.arange(24.0).reshape(4, 6) + comm.rank
        turned, strided = torch.from_numpy(base.copy()).t(), base.reshape(-1)[::2]
        kept = base.reshape(-1)[1::2].copy()
        all_reduce(group, turned, **options)
        all_reduce(group, strided, **options)
        assert (base.reshape(-1)[1::2] == kept).all(), "what lies between stays"
        return turned.t().flatten().tolist(), strided.tolist()

    K = 7
    for rank, (turned, strided) in enumerate(SimWorld(K).run(layouts).results):
        members = list(range(rank % 2, K, 2))
        total = [len(members) * j + sum(members) for j in range(24)]
        assert turned == total
        assert strided == total[::2]


class Watched:
    """A comm that counts its sends and their waits: memory of a send without `wait` may still be read."""

    def __init__(self, comm):
        self._comm, self.open = comm, 0

    def __getattr__(self, name):
        return getattr(self._comm, name)

    def isend(self, *args):
        self.open += 1
        return Waiting(self, self._comm.isend(*args))


class Waiting:
    def __init__(self, watched, work):
        self.watched, self.work = watched, work

    def wait(self):
        self.watched.open -= 1
        self.work.wait()


CALLS = {name: lambda c, x, name=name: all_reduce(c, x, algorithm=name, **CHOICES[name]) for name in CHOICES} | {
    "reduce": reduce, "gather": gather, "scatter": lambda c, x: scatter(c, [x] * 5 if c.rank == 0 else None)}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_send_is_waited_for(call):
    def watch(comm, x):
        watched = Watched(comm)
        call(watched, x)
        return watched.open

    assert SimWorld(5).run(watch, torch.ones(9)).results == [0] * 5
