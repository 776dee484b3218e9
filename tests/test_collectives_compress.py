"""Compressors: what they send, bytes against the ledger and the closed form, residuals, bits equal on all workers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pslab import cost
from pslab.collectives.compress import (
    Compressor,
    ErrorFeedback,
    GradientExchange,
    Half,
    OneBit,
    PowerSGD,
    TopK,
    Uncompressed,
)
from pslab.collectives.compress.top_k import largest
from pslab.comm import ProcessWorld, SimWorld

SHAPES = [(0,), (1,), (7,), (3, 5), (40, 30), (6, 4, 5, 2)]
KINDS = {"none": Uncompressed, "fp16": lambda: Half("fp16"), "bf16": Half, "one bit": OneBit, "top 3": lambda: TopK(3),
         "top 10 %": lambda: TopK(ratio=0.1), "PowerSGD 1": lambda: PowerSGD(1), "PowerSGD 3": lambda: PowerSGD(3)}


def kind(name, feedback=False):
    return ErrorFeedback(KINDS[name]()) if feedback else KINDS[name]()


def gradient(rank, step, shape, whole=False):
    g = torch.Generator().manual_seed(1000 * rank + step)
    return torch.randint(-9, 10, shape, generator=g).float() if whole else torch.randn(shape, generator=g)


def steps(comm, name, feedback, shape, count, whole=False):
    """(totals, sents, residual) of `count` exchanges of one parameter."""
    compressor = kind(name, feedback)
    pairs = [compressor.exchange(comm, "w", gradient(comm.rank, step, shape, whole)) for step in range(count)]
    residual = compressor.residual(comm, "w") if feedback else None
    return [total for total, _ in pairs], [sent for _, sent in pairs], residual


# ---- bytes ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_stated_bytes_are_the_ledgers(name, K):
    for shape in SHAPES:
        run = SimWorld(K).run(steps, name, K == 3, shape, 1)
        traffic = kind(name, K == 3).traffic(shape, K)
        assert [run.ledger.port(rank) for rank in range(K)] == list(traffic.ports), shape


def test_messages_have_the_sizes_of_the_papers():
    assert OneBit().wire_bytes((40, 30)) == 8 + 1200 // 8 == cost.one_bit_message_bytes(1200)
    assert OneBit().wire_bytes((9,)) == 8 + 2
    assert OneBit().wire_bytes((0,)) == 0
    assert TopK(12).wire_bytes((40, 30)) == 8 * 12 == TopK(ratio=0.01).wire_bytes((40, 30))
    assert TopK(12).wire_bytes((5,)) == 8 * 5
    assert PowerSGD(2).wire_bytes((40, 30)) == 4 * 2 * 70
    assert PowerSGD(2).wire_bytes((6, 4, 5, 2)) == 4 * 2 * 46
    assert PowerSGD(2).wire_bytes((40,)) == 4 * 40                 # a vector travels whole
    assert PowerSGD(20).wire_bytes((40, 30)) == 4 * 1200           # and what would not get smaller
    assert Half().wire_bytes((40, 30)) == 2400 == Uncompressed().wire_bytes((40, 30)) // 2
    assert ErrorFeedback(TopK(12)).wire_bytes((40, 30)) == 8 * 12


@given(st.integers(1, 3000), st.integers(1, 80), st.integers(1, 9))
def test_closed_forms(elements, K, r):
    k = min(elements, 7)
    assert cost.top_k_all_gather(k, K).total == K * (K - 1) * 8 * k
    assert cost.one_bit_all_gather(elements, K).total == K * (K - 1) * (8 + math.ceil(elements / 8))
    assert cost.half_all_reduce(elements, K).total * 2 == cost.ring_all_reduce(elements, K).total
    assert cost.power_sgd_all_reduce(elements, 31, r, K).total == 2 * (K - 1) * 4 * r * (elements + 31)
    assert cost.power_sgd_all_reduce(elements, 31, r, K).rounds == 4 * (K - 1)


# ---- what is sent ---------------------------------------------------------------------------------------------------

def test_top_k_takes_the_largest_and_of_equals_the_first():
    np.testing.assert_array_equal(largest(np.array([3.0, -7, 0, 7, 2]), 1), [1])
    np.testing.assert_array_equal(largest(np.array([3.0, -7, 0, 7, 2]), 3), [0, 1, 3])
    np.testing.assert_array_equal(largest(np.array([1.0, -1, 1, -1]), 2), [0, 1])
    np.testing.assert_array_equal(largest(np.array([2.0, 5]), 9), [0, 1])


@given(st.lists(st.integers(-4, 4), max_size=60), st.integers(1, 70))
def test_top_k_against_a_stable_sort(values, k):
    values = np.array(values, np.float32)
    expected = np.sort(np.argsort(-np.abs(values), kind="stable")[:k])
    np.testing.assert_array_equal(largest(values, k), expected)


def test_one_bit_sends_the_mean_of_each_sign():
    def program(comm):
        return OneBit().exchange(comm, "w", torch.tensor([0.5, -0.1, 0.1, -0.5, 0]) * (comm.rank + 1))

    for rank, (total, sent) in enumerate(SimWorld(2).run(program).results):
        torch.testing.assert_close(sent, torch.tensor([0.2, -0.3, 0.2, -0.3, 0.2]) * (rank + 1))
        torch.testing.assert_close(total, torch.tensor([0.2, -0.3, 0.2, -0.3, 0.2]) * 3)


def test_power_sgd_finds_a_matrix_of_low_rank_exactly():
    def program(comm):
        g = torch.Generator().manual_seed(3)
        left, right = torch.randn(40, 2, generator=g), torch.randn(2, 30, generator=g)
        mine = left @ torch.diag(torch.tensor([1.0, comm.rank + 1])) @ right
        return PowerSGD(2).exchange(comm, "w", mine)[0], mine

    results = SimWorld(3).run(program).results
    expected = sum(mine for _, mine in results)
    for total, _ in results:
        torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-4)


def test_power_sgd_warms_up():
    """The same matrix again: every step's Q is nearer to the best rank-2 approximation, which the SVD gives."""
    def program(comm):
        u, s, v = torch.linalg.svd(gradient(0, 0, (40, 30)))
        mine = u[:, :30] @ torch.diag(s * 0.7 ** torch.arange(30)) @ v
        best = (s * 0.7 ** torch.arange(30))[2:].norm()
        power = PowerSGD(2)
        return [float((power.exchange(comm, "w", mine)[0] - mine).norm() / best) for _ in range(25)]

    errors = SimWorld(1).run(program).results[0]
    assert errors[0] > 1.05
    assert errors[-1] < 1.0001


def test_power_sgd_comes_back_from_a_gradient_of_zero():
    def program(comm):
        power, target = PowerSGD(1), torch.zeros(8, 8)
        power.exchange(comm, "w", target)
        target[5] = torch.arange(8.0)                    # rank 1, and its first row is zero
        return power.exchange(comm, "w", target)[0], target

    for total, target in SimWorld(2).run(program).results:
        torch.testing.assert_close(total, 2 * target)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "none"])
def test_total_is_the_sum_of_what_was_sent_and_equal_everywhere(name):
    K, shape = 3, (40, 30)
    results = SimWorld(K).run(steps, name, True, shape, 3).results
    for step in range(3):
        total = results[0][0][step]
        for rank in range(1, K):
            assert torch.equal(total, results[rank][0][step])
        rel = {"fp16": 2e-3, "bf16": 2e-2}.get(name, 1e-5)         # half precision rounds on every hop
        sent = sum(results[rank][1][step] for rank in range(K))
        assert (total - sent).norm() <= rel * sent.norm()


def test_real_processes_send_the_same():
    with ProcessWorld(2) as world:
        for name in ("one bit", "top 10 %", "PowerSGD 1", "bf16"):
            real, virtual = world.run(steps, name, True, (20, 9), 2), SimWorld(2).run(steps, name, True, (20, 9), 2)
            np.testing.assert_array_equal(real.ledger.counts, virtual.ledger.counts)
            for a, b in zip(real.results, virtual.results):
                for x, y in zip([*a[0], *a[1], a[2]], [*b[0], *b[1], b[2]]):
                    assert torch.equal(x, y), name


# ---- error feedback -------------------------------------------------------------------------------------------------

@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 3))
def test_top_k_of_whole_numbers_loses_nothing_at_all(n, k, K):
    def program(comm):
        feedback = ErrorFeedback(TopK(k))
        sent = sum(feedback.exchange(comm, "w", gradient(comm.rank, step, (n,), True))[1] for step in range(20))
        return sent + feedback.residual(comm, "w")

    for rank, seen in enumerate(SimWorld(K).run(program).results):
        assert torch.equal(seen, sum(gradient(rank, step, (n,), True) for step in range(20)))


@pytest.mark.parametrize("name", KINDS)
def test_sent_and_residual_are_the_gradients(name):
    for rank, (_, sents, residual) in enumerate(SimWorld(2).run(steps, name, True, (40, 30), 20).results):
        expected = sum(gradient(rank, step, (40, 30)).double() for step in range(20))
        seen = sum(sent.double() for sent in sents) + residual.double()
        assert (seen - expected).norm() <= 1e-6 * expected.norm()
        if name != "none":
            assert residual.norm() > 0


def test_residuals_belong_to_a_worker_and_a_parameter():
    """One object for all, even for all ranks of a simulator: nobody gets another's residual."""
    shared = ErrorFeedback(TopK(1))

    def program(comm):
        own = [torch.tensor([8.0, 1 + comm.rank]), torch.tensor([8.0, 5 + comm.rank])]
        for name, g in zip("ab", own):
            shared.exchange(comm, name, g)
        return [shared.residual(comm, name) for name in "ab"], shared.residual(comm, "c")

    for rank, (residuals, nothing) in enumerate(SimWorld(3, engine="threads").run(program).results):
        assert [r.tolist() for r in residuals] == [[0, 1 + rank], [0, 5 + rank]]
        assert nothing is None


def test_two_parameters_under_one_name_are_refused():
    def program(comm, compressor, shapes):
        for shape in shapes:
            compressor.exchange(comm, "w", torch.ones(shape))

    with pytest.raises(ValueError, match=r"'w' had shape \(4,\) and has now \(5,\); each parameter needs its own name"):
        SimWorld(1).run(program, ErrorFeedback(TopK(1)), [(4,), (5,)])
    with pytest.raises(ValueError, match="'w' had 9 columns and has now 8"):
        SimWorld(1).run(program, PowerSGD(1), [(9, 9), (9, 8)])


# ---- refusals -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "text"), [
    (lambda: Half("fp8"), "dtype='fp8'; allowed: fp16, bf16"), (lambda: TopK(), "exactly one of them is needed"),
    (lambda: TopK(3, ratio=0.1), "exactly one"), (lambda: TopK(0), "k=0; a number from 1"),
    (lambda: TopK(ratio=0.0), "ratio=0.0; above 0 and at most 1"), (lambda: TopK(ratio=1.5), "ratio=1.5"),
    (lambda: PowerSGD(0), "rank=0; a number from 1"), (lambda: ErrorFeedback("top"), "a Compressor is needed"),
    (lambda: cost.top_k_all_gather(-1, 2), "k=-1"), (lambda: cost.power_sgd_all_reduce(3, 3, 0, 2), "rank=0")])
def test_wrong_arguments(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(("g", "text"), [
    (torch.tensor([1.0, math.inf]), "gradient of 'w' holds NaN or infinity"), (torch.tensor([math.nan]), "holds NaN"),
    (torch.ones(3, dtype=torch.int64), "gradient of 'w' is torch.int64; float32 or float64 is needed"),
    (torch.eye(3).to_sparse(), "a dense torch.Tensor is needed")])
def test_gradients_that_cannot_be_compressed(g, text):
    def program(comm, compressor):
        compressor.exchange(comm, "w", g)

    for compressor in (TopK(1), OneBit(), ErrorFeedback(Uncompressed()), PowerSGD(1)):
        with pytest.raises(ValueError, match=text):
            SimWorld(1).run(program, compressor)


def test_strided_and_double_gradients():
    def program(comm, name, dtype):
        g = gradient(0, 0, (30, 40)).to(dtype).T
        return kind(name, True).exchange(comm, "w", g), kind(name, True).exchange(comm, "w", g.contiguous())

    for name in KINDS:
        for dtype in (torch.float32, torch.float64):
            strided, plain = SimWorld(1).run(program, name, dtype).results[0]
            for a, b in zip(strided, plain):
                assert a.dtype is b.dtype is dtype
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_all_compressors_are_of_one_kind_and_named_at_the_face():
    assert all(isinstance(kind(name), Compressor) for name in KINDS)
    assert GradientExchange
