"""Equal bits on all ranks, also where the order of two numbers matters; inputs that are read only stay unwritten."""

import warnings

import numpy as np
import pytest
import torch

from pslab import cost
from pslab.collectives import all_gather, all_reduce, broadcast, gather, reduce, reduce_scatter
from pslab.comm import Link, ProcessWorld, SimWorld

ALGORITHMS = {"ring": {}, "chunked_ring": {"chunks": 3}, "binomial": {}, "halving_doubling": {},
              "recursive_doubling": {}, "hierarchical": {"groups": 2}}


def reduced_bits(comm, given, op, algorithm):
    x = given[comm.rank].copy()
    all_reduce(comm, x, op, algorithm=algorithm, **ALGORITHMS[algorithm])
    return x.tobytes()


def zeros_of_both_signs(K):
    return [np.array([(-0.0, 0.0)[(j + rank) % 2] for j in range(40)], np.float32) for rank in range(K)]


def complex_numbers(K):
    drawn = np.random.default_rng(0)
    return [drawn.normal(size=40) + 1j * drawn.normal(size=40) for _ in range(K)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("K", [2, 3, 4, 7, 8])
def test_all_ranks_end_with_equal_bits(K, algorithm):
    for op, given in (("max", zeros_of_both_signs(K)), ("min", zeros_of_both_signs(K)), ("prod", complex_numbers(K)),
                      ("sum", complex_numbers(K))):
        results = SimWorld(K, trace=False).run(reduced_bits, given, op, algorithm).results
        assert len(set(results)) == 1, f"{op}: the ranks' results differ in bits"
        if op == "prod":
            np.testing.assert_allclose(np.frombuffer(results[0], complex), np.prod(given, axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.int16, torch.float16])
@pytest.mark.parametrize("op", ["max", "min", "prod"])
def test_the_order_of_two_changes_no_value(op, dtype):
    def each(comm):
        x = torch.tensor([(3 * j + comm.rank) % 5 - (0 if dtype is torch.bool else 2) for j in range(11)]).to(dtype)
        y = x.clone()
        all_reduce(comm, x, op, algorithm="recursive_doubling")
        all_reduce(comm, y, op, algorithm="ring")
        return torch.equal(x, y)

    assert all(SimWorld(5).run(each).results)


def read_only(comm, algorithm, model):
    comm.model = model
    x = np.arange(7, dtype=np.float32) + 100 * comm.rank
    x.flags.writeable = comm.rank != 1
    broadcast(comm, x, 1, algorithm=algorithm)
    return x.tolist()


@pytest.mark.parametrize("algorithm", ["binomial", "direct", "scatter_all_gather"])
@pytest.mark.parametrize("K", [2, 3, 5])
def test_the_source_of_a_broadcast_may_be_read_only(K, algorithm):
    assert SimWorld(K).run(read_only, algorithm, None).results == [[100.0 + j for j in range(7)]] * K
    wide = cost.AlphaBeta(0.0, 1.0)                      # `auto` goes by bytes alone, and takes the long way
    assert SimWorld(K).run(read_only, "auto", wide).results == [[100.0 + j for j in range(7)]] * K


def test_the_source_of_a_broadcast_may_be_read_only_in_processes():
    with ProcessWorld(3) as world:
        assert world.run(read_only, "scatter_all_gather", None).results == [[100.0 + j for j in range(7)]] * 3


def test_what_is_only_read_may_be_read_only():
    def each(comm):
        x = np.arange(9, dtype=np.float32)
        x.flags.writeable = False
        for algorithm in ("binomial", "direct", "reduce_scatter_gather"):
            reduce(comm, x if comm.rank else x.copy(), algorithm=algorithm)
        for algorithm in ("ring", "pairwise"):
            reduce_scatter(comm, x, algorithm=algorithm)
        for algorithm in ("ring", "direct", "bruck"):
            all_gather(comm, x, algorithm=algorithm)
        for algorithm in ("direct", "binomial"):
            gather(comm, x, algorithm=algorithm)
        return x.tolist()

    assert SimWorld(5).run(each).results == [[float(j) for j in range(9)]] * 5


@pytest.mark.parametrize("model", [cost.AlphaBeta(1.0, 1e9), Link(1.0, 0.0, 1e9),
                                   cost.Fitted(cost.AlphaBeta(1.0, 1e9), 8)], ids=lambda model: type(model).__name__)
def test_every_kind_of_model_serves_every_auto(model):
    """With seconds of latency the broadcast that is straight is the fastest, where α is all latency."""
    def each(comm, algorithm, model):
        comm.model = model
        x = np.ones(3, np.float32)
        all_reduce(comm, x)
        began_s = comm.now()
        broadcast(comm, x, algorithm=algorithm)
        reduce(comm, x)
        return comm.now() - began_s

    world = SimWorld(8, link=Link(1.0, 0.0, 1e9))
    best = cost.fastest_broadcast(3, 8, cost.AlphaBeta(1.0, 1e9, 0.0 if isinstance(model, Link) else None)).algorithm
    assert best == ("direct" if isinstance(model, Link) else "binomial")
    assert world.run(each, "auto", model).results == world.run(each, best, model).results


def test_reading_in_another_ranks_memory_warns_of_nothing():
    """Large tensors are added up where the sender has them, in memory that is read-only here."""
    def each(comm):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for dtype in (torch.bfloat16, torch.bool):
                x = torch.ones(100_003).to(dtype)
                all_reduce(comm, x, algorithm="ring")
                assert x.float().unique().tolist() == [float(comm.world_size if dtype is torch.bfloat16 else 1)]
        return True

    with ProcessWorld(3, transport="auto") as world:
        assert all(world.run(each).results)
