"""Ring all-reduce in the simulator: values, bytes per link, neighbours, time; every op, dtype, layout; groups."""

import numpy as np
import pytest
import torch
from collectives_oracle import LINK, inputs, judge_all_reduce

from pslab.collectives import all_gather, all_reduce, reduce_scatter
from pslab.comm import SimWorld
from pslab.cost import ring_all_reduce

KS = (1, 2, 3, 5, 7)
OPS = ("sum", "max", "min", "prod", "mean")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128, torch.bool,
          torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64)


def lengths(K):
    return sorted({0, 1, K - 1, K, K + 1, 3 * K + 2, 1000})


def program(comm, x, op):
    assert all_reduce(comm, x, op) is None
    return x


@pytest.mark.parametrize("K", KS)
def test_sum_bytes_neighbours_and_time(K):
    for P in lengths(K):
        run = judge_all_reduce(SimWorld(K, link=LINK), program, P)
        cost = ring_all_reduce(P, K, 4)
        assert [run.ledger.port(r) for r in range(K)] == [(port.out_bytes, port.in_bytes) for port in cost.ports]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.int64], ids=lambda d: d.__name__)
def test_every_op(op, dtype):
    if (op == "mean" and dtype is np.int64) or (op in ("max", "min") and dtype is np.complex128):
        with pytest.raises(ValueError, match=f"op='{op}' on .*; "):
            SimWorld(3).run(program, per_rank=[(x, op) for x in inputs(3, 4, dtype)])
        return
    for K, P in ((1, 3), (3, 8), (5, 4)):
        judge_all_reduce(SimWorld(K, link=LINK), program, P, op, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("op", OPS)
def test_every_dtype_against_torch(dtype, op):
    K, P = 3, 10
    given = [torch.tensor([(j * K + r) % 5 for j in range(P)]).to(dtype) for r in range(K)]
    world = SimWorld(K, link=LINK)
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if (op == "mean" and whole) or (op in ("max", "min") and dtype.is_complex):
        for size in (K, 1):                              # refused before anything is sent: by a lone rank too
            with pytest.raises(ValueError, match="op="):
                SimWorld(size).run(program, per_rank=[(x.clone(), op) for x in given[:size]])
        return
    run = world.run(program, per_rank=[(x.clone(), op) for x in given])
    wide = torch.stack(given).to(torch.complex128 if dtype.is_complex else torch.float64)
    expected = {"sum": wide.sum(0), "prod": wide.prod(0), "mean": wide.sum(0) / K}.get(op)
    if expected is None:
        expected = wide.amax(0) if op == "max" else wide.amin(0)
    for result in run.results:
        assert result.dtype is dtype
        expected_wide = expected.to(dtype).to(wide.dtype)
        rtol = 1e-2 if dtype.itemsize == 2 else 1e-6
        torch.testing.assert_close(result.to(wide.dtype), expected_wide, rtol=rtol, atol=0)
    assert run.ledger.total() == 2 * (K - 1) * P * given[0].element_size()


@pytest.mark.parametrize("seed", range(3))
def test_random_floats_against_torch_and_equal_bits_on_all_ranks(seed):
    K, P = 5, 1003
    g = torch.Generator().manual_seed(seed)
    given = [torch.randn(P, generator=g) for _ in range(K)]
    results = SimWorld(K).run(program, per_rank=[(x.clone(), "sum") for x in given]).results
    torch.testing.assert_close(results[0].double(), torch.stack(given).double().sum(0), rtol=1e-5, atol=1e-5,
                               msg=lambda text: f"seed {seed}: {text}")
    for rank in range(1, K):
        assert torch.equal(results[rank], results[0]), f"seed {seed}: rank {rank} has other bits than rank 0"


def test_it_is_reduce_scatter_then_all_gather_bit_for_bit():
    def apart(comm, x):
        return torch.cat(all_gather(comm, reduce_scatter(comm, x)))

    g = torch.Generator().manual_seed(0)
    given = [torch.randn(103, generator=g) for _ in range(4)]
    together = SimWorld(4).run(program, per_rank=[(x.clone(), "sum") for x in given]).results
    for one, other in zip(together, SimWorld(4).run(apart, per_rank=[(x.clone(),) for x in given]).results):
        assert torch.equal(one, other)


@pytest.mark.parametrize("K", [1, 3])
def test_layouts_are_written_back(K):
    """Transposed, strided, many-dimensional, 0-dimensional, NumPy or torch: the caller's own memory is changed."""
    def layouts(comm, base):
        r, K = comm.rank, comm.world_size
        total = sum(range(K)) + 0.0
        cases = {
            "matrix": torch.full((4, 5), float(r)) + base.reshape(4, 5),
            "transposed": (torch.full((4, 5), float(r)) + base.reshape(4, 5)).t(),
            "every other": (base.repeat_interleave(2) + r)[::2],
            "0-dimensional": torch.tensor(float(r)),
            "numpy": base.numpy() + np.float32(r),
            "numpy strided": (np.repeat(base.numpy(), 2) + np.float32(r))[::2],
            "numpy Fortran": np.asfortranarray(base.numpy().reshape(4, 5) + np.float32(r)),
            "leaf with gradient": torch.nn.Parameter(base + r),
            "bfloat16 strided": (base.to(torch.bfloat16).repeat_interleave(2) + r)[::2],
        }
        for name, x in cases.items():
            copy = torch.as_tensor(np.array(x) if isinstance(x, np.ndarray) else x.detach().clone())
            all_reduce(comm, x)
            expected = (copy.double() - r) * K + total
            assert torch.equal(torch.as_tensor(x).double(), expected), name
        conj = torch.tensor([1 + 2j, r + 0j]).conj()
        all_reduce(comm, conj)
        assert conj.resolve_conj().tolist() == [K * (1 - 2j), total + 0j]
        return True

    assert all(SimWorld(K).run(layouts, torch.arange(20.0)).results)


def test_what_lies_between_the_elements_of_a_strided_tensor_stays():
    def strided(comm):
        base = torch.arange(10.0) + comm.rank
        all_reduce(comm, base[::2])
        return base

    for rank, base in enumerate(SimWorld(2).run(strided).results):
        assert base.tolist() == [1 + 2.0 * j if j % 2 == 0 else j + rank for j in range(10)]


def test_on_groups_of_split():
    def grouped(comm, x):
        group = comm.split(comm.rank % 2, key=-comm.rank)
        all_reduce(group, x)
        return x

    K, P = 5, 7
    given = inputs(K, P)
    run = SimWorld(K).run(grouped, per_rank=[(x.copy(),) for x in given])
    for rank, result in enumerate(run.results):
        np.testing.assert_array_equal(result, sum(given[rank % 2::2]))
    used = {(src, dst) for src in range(K) for dst in range(K) if run.ledger.link(src, dst)}
    assert used == {(4, 2), (2, 0), (0, 4), (3, 1), (1, 3)}, "the key turns the order of the ring around"
    assert run.ledger.total() == (2 * 2 + 2 * 1) * P * 4


def test_messages_of_the_user_on_the_same_link_are_not_taken():
    """A tensor under way with tag 0 stays the user's own, also when it has the size of a piece."""
    def mixed(comm, x):
        peer = 1 - comm.rank
        sending = comm.isend(np.full(2, 100.0 + comm.rank, np.float32), peer)
        all_reduce(comm, x)
        mine = comm.recv(peer)
        sending.wait()
        return x, mine

    for rank, (x, mine) in enumerate(SimWorld(2).run(mixed, per_rank=[(x,) for x in inputs(2, 4)]).results):
        assert list(x) == [1, 5, 9, 13]
        assert mine.tolist() == [101.0 - rank] * 2


def test_two_in_a_row_do_not_mix():
    def twice(comm, x, y):
        all_reduce(comm, x)
        all_reduce(comm, y, "max")
        return x, y

    given = inputs(3, 5)
    for x, y in SimWorld(3).run(twice, per_rank=[(x.copy(), x.copy()) for x in given]).results:
        np.testing.assert_array_equal(x, sum(given))
        np.testing.assert_array_equal(y, given[2])
