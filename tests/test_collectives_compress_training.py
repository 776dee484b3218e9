"""Compressed gradients in training: where error feedback is needed, initial values, autocast, loss scaling."""

import pytest
import torch
from torch import nn

from pslab import cost
from pslab.collectives.compress import ErrorFeedback, GradientExchange, Half, OneBit, PowerSGD, TopK, Uncompressed
from pslab.comm import SimWorld

K, SHAPE, STEPS = 2, (8, 6), 400


def descend(comm, make, feedback):
    """Distance to the best W after STEPS steps of SGD on ½‖W − T_rank‖², in gradients with loud alternating noise.

    The noise is one matrix of rank 1 with entries of ±10, added in even steps and subtracted in odd ones: over two
    steps it is nothing, and in each of them it is most of what a message has room for.
    """
    g = torch.Generator().manual_seed(7)
    targets = torch.randn(comm.world_size, *SHAPE, generator=g)
    noise = 10 * torch.outer(torch.randn(8, generator=g).sign(), torch.randn(6, generator=g).sign())
    compressor = ErrorFeedback(make()) if feedback else make()
    W = torch.zeros(SHAPE)
    for step in range(STEPS):
        gradient = W - targets[comm.rank] + noise * (-1) ** step
        total, _ = compressor.exchange(comm, "W", gradient)
        W -= 0.5 / (10 + step) * 4 * total / comm.world_size
    best = targets.mean(0)
    return float((W - best).norm() / best.norm())


@pytest.mark.parametrize(("make", "near", "far"), [
    (OneBit, 0.06, 0.5), (lambda: TopK(6), 0.06, 0.25),
    pytest.param(lambda: PowerSGD(1), 0.1, 0.5, marks=pytest.mark.long)], ids=["1 bit", "top-k", "PowerSGD"])
def test_with_error_feedback_it_converges_and_without_it_does_not(make, near, far):
    with_it = SimWorld(K, trace=False).run(descend, make, True).results
    without = SimWorld(K, trace=False).run(descend, make, False).results
    assert max(with_it) < near
    assert min(without) > far
    assert max(SimWorld(K, trace=False).run(descend, Uncompressed, False).results) < near


# ---- a whole model --------------------------------------------------------------------------------------------------

def small_net():
    net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 1))
    net[2].bias.requires_grad_(False)
    return net


def begin(comm, make):
    torch.manual_seed(comm.rank)
    net = small_net()
    own = [p.detach().clone() for p in net.parameters()]
    GradientExchange(comm, net.named_parameters(), make())
    return own, [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize("make", [OneBit, lambda: ErrorFeedback(TopK(1)), lambda: Half("fp16")])
def test_initial_values_are_never_compressed(make):
    run = SimWorld(3).run(begin, make)
    zeros = run.results[0][0]
    for own, values in run.results:
        for a, b in zip(values, zeros, strict=True):
            assert torch.equal(a, b), "rank 0's values, to the last bit"
        assert own is zeros or not torch.equal(own[0], values[0])
    sizes = [p.numel() for p in small_net().parameters()]
    for rank in range(3):
        ports = [cost.broadcast(4 * n, 3).ports[rank] for n in sizes]
        assert run.ledger.port(rank) == (sum(p.out_bytes for p in ports), sum(p.in_bytes for p in ports))


def train(comm, make, steps):
    """(last loss over all the data, parameters, frozen gradient) after training on this worker's share."""
    torch.manual_seed(comm.rank)
    net = small_net()
    exchange = GradientExchange(comm, net.named_parameters(), make())
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.3)
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
    y = torch.tanh(x.sum(1, keepdim=True))
    mine = slice(comm.rank, None, comm.world_size)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(x[mine]) - y[mine]).square().mean().backward()
        exchange.average()
        optimizer.step()
    with torch.no_grad():
        loss = float((net(x) - y).square().mean())
    return loss, [p.detach().clone() for p in net.parameters()], net[2].bias.grad


def test_without_compression_it_is_the_training_of_one():
    alone = SimWorld(1, trace=False).run(train, Uncompressed, 20).results[0][1]
    for _, values, frozen in SimWorld(2, trace=False).run(train, Uncompressed, 20).results:
        assert frozen is None
        torch.testing.assert_close(values, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [Half, lambda: ErrorFeedback(OneBit()), lambda: ErrorFeedback(TopK(ratio=0.2)),
                                  lambda: ErrorFeedback(PowerSGD(1))], ids=["bf16", "1 bit", "top-k", "PowerSGD"])
def test_a_net_learns_by_every_compressor_and_stays_one(make):
    results = SimWorld(2, trace=False).run(train, make, 120).results
    assert results[0][0] < 0.03
    for a, b in zip(results[0][1], results[1][1]):
        assert torch.equal(a, b)


def test_a_gradient_that_a_worker_has_not_made_counts_as_zero():
    def program(comm):
        w = nn.Parameter(torch.zeros(2))
        exchange = GradientExchange(comm, [("w", w)])
        if comm.rank:
            w.grad = torch.tensor([2.0, 4.0])
        exchange.average()
        return w.grad

    for mean in SimWorld(2).run(program).results:
        assert mean.tolist() == [1, 2]


def test_a_name_given_twice_is_refused():
    w = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match="named_parameters names a parameter twice"):
        SimWorld(1).run(lambda comm: GradientExchange(comm, [("w", w), ("w", w)]))


# ---- half precision -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_leaves_gradients_float32(dtype):
    """The products are of half precision, the gradients that travel are not: autocast saves no byte of traffic."""
    net = nn.Linear(6, 5)
    with torch.autocast("cpu", dtype=dtype):
        out = net(torch.ones(3, 6))
    assert out.dtype is dtype
    out.float().sum().backward()
    assert [p.grad.dtype for p in net.parameters()] == [torch.float32] * 2


def wired(comm, dtype, scale):
    """A small gradient as it arrives, summed over the workers; scaled before the wire and back after it."""
    w = nn.Parameter(torch.ones(4))
    (scale * 1e-8 * (comm.rank + 1) * w.sum()).backward()           # loss scaling: of the loss
    total, _ = Half(dtype).exchange(comm, "w", w.grad)
    return total / scale


def test_fp16_on_the_wire_needs_loss_scaling_and_bf16_does_not():
    def seen(dtype, scale):
        return SimWorld(2).run(wired, dtype, scale).results[0]

    expected = torch.full((4,), 3e-8)
    assert not seen("fp16", 1).any(), "below fp16's smallest number all is gone"
    torch.testing.assert_close(seen("fp16", 2.0**16), expected, rtol=2**-10, atol=0)
    torch.testing.assert_close(seen("bf16", 1), expected, rtol=2**-7, atol=0)


@pytest.mark.filterwarnings("ignore:overflow encountered in add")
def test_fp16_sums_overflow_where_bf16_ones_do_not():
    def program(comm, dtype):
        return Half(dtype).exchange(comm, "w", torch.full((3,), 40000.0))[0]

    assert SimWorld(2).run(program, "fp16").results[0].isinf().all()
    assert SimWorld(2).run(program, "bf16").results[0].isfinite().all()
