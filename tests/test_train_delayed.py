"""Delayed SGD (staleness 1) against one process that does the same, its time, its bytes, and what it may not do."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from pslab.collectives import DelayedAllReduce, all_reduce, stable_rate
from pslab.comm import CommError, Link, ProcessWorld, SimWorld
from pslab.train import Adam, AllReduceSteps, Momentum, allreduce_sgd

STEPS, D, LR = 5, 3, 2.0**-4
SIZES = (8, 4, 2, 8, 4)                                  # batches differ: each gradient has its own divisor


def whole_batches():
    """Small whole numbers, batches of powers of two: everything fits into 53 bits."""
    g = torch.Generator().manual_seed(5)
    return [(torch.randint(-2, 3, (B, D), generator=g).double(), torch.randint(-4, 5, (B, 1), generator=g).double())
            for B in SIZES]


def squares(model, x, y):
    return (model(x) - y).square().sum() / 2


def start_values(rank):
    torch.manual_seed(rank)
    model = nn.Linear(D, 1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape) / 4)     # rank 0's are those that count
    return model


def trained(comm, rule, delay, steps=STEPS):
    model = start_values(comm.rank)
    allreduce_sgd(comm, model, squares, whole_batches()[:steps], delay=delay,
                  **({"lr": LR} if rule is None else {"rule": rule}))
    return [p.detach().clone() for p in model.parameters()]


def one_process(make_optimizer, steps=STEPS):
    """The same with torch.optim: a gradient waits in `before` until the next one has been computed."""
    model = start_values(0)
    optimizer, before = make_optimizer(model.parameters()), None
    for x, y in whole_batches()[:steps]:
        model.zero_grad()
        (squares(model, x, y) / len(x)).backward()
        now = [p.grad.clone() for p in model.parameters()]
        use(optimizer, model, before)
        before = now
    use(optimizer, model, before)
    return [p.detach() for p in model.parameters()]


def use(optimizer, model, gradients):
    if gradients is not None:
        for parameter, gradient in zip(model.parameters(), gradients):
            parameter.grad = gradient
        optimizer.step()


def by_fractions(steps, mu):
    """In exact arithmetic: w₊ = w − η·v, with g of the parameters one step before."""
    w = [Fraction(float(v)) for p in start_values(0).parameters() for v in p.detach().view(-1)]
    v, before = [Fraction(0)] * len(w), None
    for x, y in [*whole_batches()[:steps], (None, None)]:
        now = None
        if x is not None:
            rows = [[*map(Fraction, row), Fraction(1)] for row in x.tolist()]
            errors = [sum(a * b for a, b in zip(w, row)) - Fraction(t[0]) for row, t in zip(rows, y.tolist())]
            now = [sum(e * row[i] for e, row in zip(errors, rows)) / len(x) for i in range(len(w))]
        if before is not None:
            v = [Fraction(mu) * a + b for a, b in zip(v, before)]
            w = [a - Fraction(LR) * b for a, b in zip(w, v)]
        before = now
    return w


@pytest.mark.parametrize("K", [1, 2, 3, 5])
@pytest.mark.parametrize(("rule", "mu"), [(None, 0.0), (Momentum(LR, 0.5), 0.5)], ids=["sgd", "momentum"])
def test_equal_to_one_process_to_the_last_bit(K, rule, mu):
    fractions = by_fractions(STEPS, mu)
    assert [Fraction(float(f)) for f in fractions] == fractions, "beyond what float64 holds nothing can be asked"
    alone = one_process(lambda parameters: torch.optim.SGD(parameters, lr=LR, momentum=mu))
    late, exact = (SimWorld(K).run(trained, rule, delay).results for delay in (1, 0))
    for values in late:
        assert [v for p in values for v in p.view(-1).tolist()] == [float(f) for f in fractions]
        assert all(torch.equal(a, b) for a, b in zip(values, alone, strict=True))
    assert not torch.equal(late[0][0], exact[0][0])


def test_adam_and_real_processes():
    alone = one_process(lambda parameters: torch.optim.Adam(parameters, lr=0.05))
    with ProcessWorld(3) as processes:
        for world in (processes, SimWorld(3)):
            for values in world.run(trained, Adam(0.05), 1).results:
                torch.testing.assert_close(values, alone, rtol=1e-6, atol=1e-6)


def test_the_first_step_changes_nothing_and_the_last_gradient_is_used():
    """One step delayed is, drained, one exact step; before that the parameters are the first ones."""
    def program(comm):
        model = start_values(0)
        first = [p.detach().clone() for p in model.parameters()]
        steps = AllReduceSteps(comm, model.parameters(), Momentum(LR, 0.0), delay=1)
        x, y = whole_batches()[0]
        share = [t.tensor_split(comm.world_size)[comm.rank] for t in (x, y)]
        squares(model, *share).backward()
        steps.step(len(x))
        same = all(torch.equal(a, p) for a, p in zip(first, model.parameters()))
        steps.finish()
        steps.finish()                                   # nothing is left
        return same, [p.detach().clone() for p in model.parameters()]

    exact = SimWorld(2).run(trained, None, 0, 1).results[0]
    for same, values in SimWorld(2).run(program).results:
        assert same
        assert all(torch.equal(a, b) for a, b in zip(values, exact, strict=True))


def test_a_loop_that_does_not_finish_is_told():
    def program(comm):
        model = start_values(0)
        steps = AllReduceSteps(comm, model.parameters(), Momentum(LR), delay=1)
        squares(model, *whole_batches()[0]).backward()
        steps.step(8)

    with pytest.raises(CommError, match=r"without waiting for .*: all_reduce_fused, started at test_train_delayed.py"):
        SimWorld(2).run(program)


def test_time_and_bytes():
    """T·(c + m) exact, c + (T−1)·max(c, m) + m delayed; the same bytes."""
    P, T = 3 * 2**12, 6

    def program(comm, delay, compute_s, count):
        parameter = nn.Parameter(torch.zeros(P))
        steps = AllReduceSteps(comm, [parameter], Momentum(LR), delay=delay)
        comm.barrier()
        begun_s = comm.now()
        for _ in range(count):
            comm.compute(compute_s)
            parameter.grad = torch.ones(P)
            steps.step(1)
        steps.finish()
        return comm.now() - begun_s

    world = SimWorld(3, link=Link(latency_s=0.0, overhead_s=2.0**-16, bandwidth_Bps=2.0**28))
    m = world.run(program, 0, 0.0, 1).results[0]
    for c in (m / 4, m, 3 * m):
        exact, late = (world.run(program, delay, c, T) for delay in (0, 1))
        assert exact.results == pytest.approx([T * (c + m)] * 3, rel=1e-12)
        assert late.results == pytest.approx([c + (T - 1) * max(c, m) + m] * 3, rel=1e-12)
        assert exact.ledger.total() == late.ledger.total()


# ---- the rate at which it still converges ---------------------------------------------------------------------------


def descended(comm, rate, delay, steps):
    """|w| after so many steps of gradient descent on w²/2, from w = 1."""
    w = nn.Parameter(torch.ones(1, dtype=torch.float64))
    allreduce_sgd(comm, nn.ParameterList([w]), lambda model, share: (model[0] ** 2 / 2 * len(share)).sum(),
                  [(torch.zeros(2),)] * steps, lr=rate, delay=delay)
    return abs(w.item())


@pytest.mark.parametrize(("delay", "limit"), [(0, 2.0), (1, 1.0)])
def test_the_stable_rate_is_half_as_large(delay, limit):
    assert stable_rate(1.0, delay) == pytest.approx(limit)
    world = SimWorld(2)
    assert world.run(descended, 0.9 * limit, delay, 200).results[0] < 1e-3
    assert world.run(descended, 1.1 * limit, delay, 200).results[0] > 1e3


def test_stable_rates_of_later_gradients():
    """Against the recursion itself: w₊ = w − r·(w, s steps before)."""
    for staleness in range(7):
        for share, stays in ((0.97, True), (1.03, False)):
            rate, w = share * stable_rate(0.5, staleness), [1.0] * (staleness + 1)
            for _ in range(4000):
                w.append(w[-1] - rate * 0.5 * w[-1 - staleness])
            assert (abs(max(w[-50:], key=abs)) < 1) == stays, (staleness, share)


def test_what_is_refused():
    for delay in (2, -1, True, "1"):
        with pytest.raises(ValueError, match=r"delay=.*; 0 \(exact\) or 1 \(one step late\) is allowed"):
            SimWorld(1).run(trained, None, delay)
    with pytest.raises(ValueError, match="staleness=-1; a whole number"):
        stable_rate(1.0, -1)
    with pytest.raises(ValueError, match="curvature=0; more than 0"):
        stable_rate(0, 1)


def test_sums_of_the_call_before_and_tensors_that_may_change_at_once():
    def program(comm):
        delayed, seen = DelayedAllReduce(comm), []
        for t in range(3):
            x, y = torch.full((4,), float(10 * t + comm.rank)), torch.tensor([t], dtype=torch.int64)
            before = delayed.exchange([x, y])
            x.fill_(-1)
            seen.append(None if before is None else [float(before[0][0]), int(before[1])])
        seen.append([float(delayed.drain()[0][0])])
        return seen, delayed.drain()

    def students(comm, tensor):
        used.append(comm.rank)
        all_reduce(comm, tensor, algorithm="binomial")

    def with_ones_own(comm):
        delayed = DelayedAllReduce(comm, all_reduce=students)
        delayed.exchange([torch.ones(1)])
        return delayed.drain()[0].item()

    used = []
    assert SimWorld(3).run(program).results == [([None, [3.0, 0], [33.0, 3], [63.0]], None)] * 3
    assert SimWorld(2).run(with_ones_own).results == [2.0, 2.0]
    assert sorted(used) == [0, 1]
