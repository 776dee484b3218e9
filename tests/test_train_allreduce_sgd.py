"""SGD with all-reduce against one process: exact fractions, torch.optim, bytes."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from pslab import cost
from pslab.comm import ProcessWorld, SimWorld
from pslab.train import Adam, AllReduceSteps, Momentum, allreduce_sgd

STEPS, B, D = 4, 8, 3
LR, MU = 2.0**-4, 0.5


def whole_batches():
    """Small whole numbers: all products, sums, and halvings of the first steps fit into 53 bits."""
    g = torch.Generator().manual_seed(5)
    return [(torch.randint(-2, 3, (B, D), generator=g).double(), torch.randint(-4, 5, (B, 1), generator=g).double())
            for _ in range(STEPS)]


def squares(model, x, y):
    return (model(x) - y).square().sum() / 2


def exact(comm, rule):
    torch.manual_seed(comm.rank)
    model = nn.Linear(D, 1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape) / 4)     # rank 0's are those that count
    start = [p.detach().clone() for p in model.parameters()]
    allreduce_sgd(comm, model, squares, whole_batches(), **({"lr": LR} if rule is None else {"rule": rule}))
    return start, [p.detach().clone() for p in model.parameters()]


def by_fractions(start, mu):
    """The same in exact arithmetic: (weights, bias)."""
    w = [Fraction(float(v)) for v in [*start[0].view(-1), *start[1]]]
    v = [Fraction(0)] * len(w)
    for x, y in whole_batches():
        rows = [[*map(Fraction, row), Fraction(1)] for row in x.tolist()]
        errors = [sum(a * b for a, b in zip(w, row)) - Fraction(t[0]) for row, t in zip(rows, y.tolist())]
        g = [sum(e * row[i] for e, row in zip(errors, rows)) / B for i in range(len(w))]
        v = [Fraction(mu) * a + b for a, b in zip(v, g)]
        w = [a - Fraction(LR) * b for a, b in zip(w, v)]
    return w


@pytest.mark.parametrize("K", [1, 2, 3, 5, 11])
@pytest.mark.parametrize(("rule", "mu"), [(None, 0.0), (Momentum(LR, MU), MU)], ids=["sgd", "momentum"])
def test_equal_to_one_process_to_the_last_bit(K, rule, mu):
    results = SimWorld(K).run(exact, rule).results
    start = results[0][0]
    single = nn.Linear(D, 1).double()
    single.load_state_dict(dict(zip(("weight", "bias"), start)))
    optimizer = torch.optim.SGD(single.parameters(), lr=LR, momentum=mu)
    for x, y in whole_batches():
        optimizer.zero_grad()
        (squares(single, x, y) / B).backward()
        optimizer.step()
    fractions = by_fractions(start, mu)
    assert [Fraction(float(f)) for f in fractions] == fractions, "beyond what float64 holds nothing can be asked"
    for _, values in results:
        assert torch.equal(values[0], single.weight.detach())
        assert torch.equal(values[1], single.bias.detach())
        assert [*values[0].view(-1).tolist(), *values[1].tolist()] == [float(f) for f in fractions]


def net():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    model[2].weight = model[0].weight
    model[2].bias.requires_grad_(False)
    return model


def batches(count, sizes=(8,)):
    g = torch.Generator().manual_seed(6)
    return [(x, x.sum(1, keepdim=True).sin()) for i in range(count)
            for x in [torch.randn(sizes[i % len(sizes)], 4, generator=g, dtype=torch.float64)]]


def learn(comm, rule, sizes):
    torch.manual_seed(comm.rank)
    model = net()
    allreduce_sgd(comm, model, squares, batches(30, sizes), rule=rule)
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("K", [1, 2, 3])
@pytest.mark.parametrize(("rule", "make"), [
    (Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    (Adam(0.02, (0.8, 0.95), 1e-4), lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4)),
    (Momentum(0.05), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9))], ids=["Adam", "Adam 2", "momentum"])
def test_equal_to_torchs_optimizers(K, rule, make):
    """Batches of 8, 5 and 2 examples: uneven shares, and with K = 3 empty ones. Tied and frozen parameters."""
    sizes = (8, 5, 2)
    torch.manual_seed(0)
    single = net()
    optimizer = make([p for p in single.parameters() if p.requires_grad])
    for x, y in batches(30, sizes):
        optimizer.zero_grad()
        (squares(single, x, y) / len(x)).backward()
        optimizer.step()
    results = SimWorld(K, trace=False).run(learn, rule, sizes).results
    for values in results:
        torch.testing.assert_close(values, [p.detach() for p in single.parameters()], rtol=1e-6, atol=1e-6)
        for a, b in zip(values, results[0]):
            assert torch.equal(a, b)


def test_bytes_are_a_broadcast_and_a_ring_a_step():
    K, rule = 2, Momentum(0.01)
    run = SimWorld(K).run(learn, rule, (8,))
    sizes = [p.numel() for p in net().parameters()]
    trained = sum(p.numel() for p in net().parameters() if p.requires_grad)
    ring, first = cost.ring_all_reduce(trained, K, 8), [cost.broadcast(8 * n, K) for n in sizes]
    assert run.ledger.total() == 30 * ring.total + sum(traffic.total for traffic in first)
    with ProcessWorld(K) as world:
        real = world.run(learn, rule, (8,))
    assert real.ledger.total() == run.ledger.total()
    for a, b in zip(real.results[1], run.results[0]):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("call", "text"), [
    (lambda comm: allreduce_sgd(comm, net(), squares, []), "exactly one of them is needed"),
    (lambda comm: allreduce_sgd(comm, net(), squares, [], lr=1, rule=Adam()), "exactly one"),
    (lambda comm: allreduce_sgd(comm, net(), squares, [(torch.ones(2, 4), torch.ones(3, 1))], lr=0.1),
     r"a batch has \[2, 3\] examples"),
    (lambda comm: allreduce_sgd(comm, net(), squares, [(torch.ones(0, 4), torch.ones(0, 1))], lr=0.1), r"\[0, 0\]"),
    (lambda comm: AllReduceSteps(comm, [], "sgd"), "rule='sgd'; Momentum"),
    (lambda comm: Momentum(0.1, 1), "momentum=1"),
    (lambda comm: Adam(betas=(0.9, 1.5)), "betas=1.5"), (lambda comm: Momentum(-1), "lr=-1"),
    (lambda comm: Adam(eps=-1e-8), "eps=-1e-08")])
def test_bad_input(call, text):
    with pytest.raises(ValueError, match=text):
        SimWorld(1).run(call)
