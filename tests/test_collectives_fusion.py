"""Bucket fusion: which tensors share a bucket, values, messages and bytes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pslab import cost
from pslab.collectives import all_reduce, all_reduce_fused, plan_buckets
from pslab.comm import Link, ProcessWorld, SimWorld

SIZES = [3, 6, 2, 20, 2, 0, 1, 9]
DTYPES = [torch.float32, torch.float64, torch.int32]


def mixed(K, rank, sizes=SIZES):
    """Element j of tensor i is (100 i + j)·K + rank; dtypes in turn."""
    return [((torch.arange(n) + 100 * i) * K + rank).to(DTYPES[i % 3]) for i, n in enumerate(sizes)]


def test_the_plan_of_the_picture():
    tensors = [torch.zeros(n) for n in (3, 6, 2, 20, 2)]
    assert plan_buckets(tensors, 40) == [[0, 1], [2], [3], [4]]
    assert plan_buckets(tensors, 44) == [[0, 1, 2], [3], [4]]
    assert plan_buckets(tensors, 132) == [[0, 1, 2, 3, 4]]
    assert plan_buckets(tensors, 1) == [[0], [1], [2], [3], [4]]
    assert plan_buckets(tensors) == [[0, 1, 2, 3, 4]]
    assert plan_buckets([]) == []
    assert plan_buckets([torch.zeros(3), torch.zeros(3).double(), torch.zeros(3)], 24) == [[0, 2], [1]]


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(DTYPES)), max_size=30), st.integers(1, 300))
def test_every_plan(given_tensors, bucket_bytes):
    tensors = [torch.empty(n, dtype=dtype) for n, dtype in given_tensors]
    buckets = plan_buckets(tensors, bucket_bytes)
    assert sorted(place for bucket in buckets for place in bucket) == list(range(len(tensors)))
    assert [bucket[0] for bucket in buckets] == sorted(bucket[0] for bucket in buckets)
    last = {}
    for bucket in buckets:
        assert bucket == sorted(bucket)
        assert len({tensors[i].dtype for i in bucket}) == 1
        size = sum(tensors[i].nbytes for i in bucket)
        assert size <= bucket_bytes or all(tensors[i].nbytes == 0 for i in bucket[1:]) or len(bucket) == 1
        dtype = tensors[bucket[0]].dtype
        if dtype in last:                                          # a bucket ends only where the next does not fit
            assert last[dtype][0] + tensors[bucket[0]].nbytes > bucket_bytes
            assert bucket[0] > last[dtype][1]
        last[dtype] = size, bucket[-1]


def fused(comm, bucket_bytes, op, reducer=None):
    tensors = mixed(comm.world_size, comm.rank)
    count = all_reduce_fused(comm, tensors, op, bucket_bytes=bucket_bytes, all_reduce=reducer)
    return tensors, count


def apart(comm, op):
    tensors = mixed(comm.world_size, comm.rank)
    for tensor in tensors:
        all_reduce(comm, tensor, op, algorithm="ring")
    return tensors


@pytest.mark.parametrize("K", [1, 2, 3, 5])
@pytest.mark.parametrize("bucket_bytes", [1, 40, 10**6])
@pytest.mark.parametrize("op", ["sum", "max"])
def test_values_messages_and_bytes(K, bucket_bytes, op):
    run, alone = SimWorld(K).run(fused, bucket_bytes, op), SimWorld(K).run(apart, op)
    plan = plan_buckets(mixed(K, 0), bucket_bytes)
    for (tensors, count), expected in zip(run.results, alone.results):
        assert count == len(plan)
        for a, b in zip(tensors, expected, strict=True):
            assert a.dtype is b.dtype
            assert torch.equal(a, b)
    assert run.ledger.messages() == len(plan) * K * 2 * (K - 1)
    assert alone.ledger.messages() == len(SIZES) * K * 2 * (K - 1)
    assert run.ledger.total() == alone.ledger.total()
    tensors = mixed(K, 0)
    for rank in range(K):
        ports = [cost.ring_all_reduce(sum(tensors[i].numel() for i in bucket), K, tensors[bucket[0]].element_size())
                 .ports[rank] for bucket in plan]
        assert run.ledger.port(rank) == (sum(p.out_bytes for p in ports), sum(p.in_bytes for p in ports))
    assert len(plan) < len(SIZES) or bucket_bytes == 1


def test_two_ranks_get_the_same_bits_as_apart_and_a_tensor_alone_is_not_copied():
    def program(comm, together):
        g = torch.Generator().manual_seed(comm.rank)
        tensors = [torch.randn(n, generator=g) for n in (5, 7, 100)]
        if together:
            all_reduce_fused(comm, tensors, bucket_bytes=48)
        else:
            for tensor in tensors:
                all_reduce(comm, tensor, algorithm="ring")
        return tensors

    for a, b in zip(SimWorld(2).run(program, True).results, SimWorld(2).run(program, False).results):
        assert all(torch.equal(x, y) for x, y in zip(a, b))

    def alone(comm):
        places = []
        tensors = [torch.ones(3), torch.ones(50)]
        all_reduce_fused(comm, tensors, bucket_bytes=48, all_reduce=lambda comm, t: places.append(t.data_ptr()))
        return places == [t.data_ptr() for t in tensors]

    assert SimWorld(1).run(alone).results == [True]


def test_fusion_saves_latencies_and_nothing_else():
    link = Link(overhead_s=1e-3, latency_s=0.0, bandwidth_Bps=1e6)

    def program(comm, bucket_bytes):
        all_reduce_fused(comm, [torch.ones(4) for _ in range(10)], bucket_bytes=bucket_bytes)

    apart = SimWorld(4, link=link).run(program, 1).seconds
    together = SimWorld(4, link=link).run(program, 10**6).seconds
    assert apart == pytest.approx(10 * 6 * (1e-3 + 4e-6))
    assert together == pytest.approx(6 * (1e-3 + 40e-6))


def test_a_students_all_reduce_strides_and_real_processes():
    def students(comm, tensor):
        for other in range(comm.world_size):
            if other != comm.rank:
                work = comm.isend(tensor.clone(), other)
                tensor += comm.recv(other) if comm.world_size == 2 else 0
                work.wait()

    def program(comm):
        whole = torch.arange(12.0).view(3, 4) + comm.rank
        tensors = [whole.T, torch.full((2,), 1.0 + comm.rank)]
        first = all_reduce_fused(comm, tensors, all_reduce=students)
        second = all_reduce_fused(comm, [whole[:, 1], whole[:, 2]], "mean")
        return whole, tensors[1], first, second

    with ProcessWorld(2) as world:
        for whole, pair, first, second in world.run(program).results:
            assert torch.equal(whole, 2 * torch.arange(12.0).view(3, 4) + 1)
            assert pair.tolist() == [3, 3]
            assert (first, second) == (1, 1)


@pytest.mark.parametrize(("change", "text"), [
    ({"bucket_bytes": 0}, "bucket_bytes=0; a number from 1"), ({"bucket_bytes": 1.5}, "bucket_bytes=1.5"),
    ({"op": "avg"}, "op='avg'; allowed: sum, max, min, prod, mean"),
    ({"op": "mean", "all_reduce": all_reduce}, "op='mean' with an all_reduce of your own"),
    ({"tensors": [torch.ones(2), "x"]}, r"tensors\[1\] is a str"),
    ({"tensors": [torch.ones(1).expand(3)]}, r"tensors\[0\] is expanded")])
def test_bad_input(change, text):
    def program(comm):
        all_reduce_fused(comm, **{"tensors": [torch.ones(2)], **change})

    with pytest.raises(ValueError, match=text):
        SimWorld(1).run(program)


def test_a_tensor_listed_twice_is_refused():
    def program(comm):
        x = torch.ones(2)
        all_reduce_fused(comm, [x, torch.ones(1), x])

    with pytest.raises(ValueError, match=r"tensors\[2\] is tensors\[0\] again; each tensor is reduced once"):
        SimWorld(1).run(program)
