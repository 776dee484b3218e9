"""DDP through our hook against stock DDP: losses, parameters and bytes over 20 steps, tied and frozen ones included."""

import re

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pslab import cost
from pslab.collectives import all_reduce, ddp
from pslab.collectives.compress import ErrorFeedback, Half, TopK
from pslab.comm import ProcessWorld, SimWorld

STEPS = 20


@pytest.fixture(scope="module")
def world():
    """One world for all: what DDP imports costs each process more than a second."""
    with ProcessWorld(3) as world:
        yield world


@pytest.fixture(scope="module", params=[2, 3], ids=["K=2", "K=3"])
def K(request):
    return request.param


def first(comm, K, function, *args):
    """function(group, *args) on the first K ranks; an error is a result too, which leaves the processes warm."""
    group = comm.split(0 if comm.rank < K else None)
    try:
        return None if group is None else function(group, *args)
    except (ValueError, RuntimeError) as error:
        return type(error).__name__, str(error)


def run(world, K, function, *args):
    run = world.run(first, K, function, *args)
    for result in run.results:
        if isinstance(result, tuple) and isinstance(result[0], str):
            raise {"ValueError": ValueError, "RuntimeError": RuntimeError}[result[0]](result[1])
    del run.results[K:]
    return run


class Net(nn.Module):
    """First and last layer share a weight; one between them is frozen; the head fills DDP's first bucket of 1 MiB."""

    def __init__(self):
        super().__init__()
        self.first, self.frozen, self.last = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)
        self.head = nn.Linear(12, 21_001)
        self.last.weight = self.first.weight
        for parameter in self.frozen.parameters():
            parameter.requires_grad_(False)

    def forward(self, x):
        hidden = torch.tanh(self.frozen(torch.tanh(self.first(x))))
        return self.head(self.last(hidden)).mean(1, keepdim=True)


def students(comm, tensor):
    """Everyone sends everything to rank 0, which sends the sum back: right, and no ring."""
    if comm.rank:
        comm.send(tensor, 0)
        comm.recv(0, out=tensor)
        return
    for src in range(1, comm.world_size):
        tensor += comm.recv(src)
    for dst in range(1, comm.world_size):
        comm.send(tensor, dst)


def divides_too(comm, tensor):
    all_reduce(comm, tensor, "mean")


def forgets(comm, tensor):
    return tensor.clone()


def train(comm, reducer=None, compressor=None):
    """(losses, parameters, elements of the buckets, gradients of the frozen) after STEPS steps; reducer None: stock."""
    torch.manual_seed(comm.rank)                           # DDP must begin everywhere with rank 0's values
    model = DistributedDataParallel(Net(), bucket_cap_mb=0.0004)
    state = None if reducer is None else ddp.attach(model, comm, reducer, compressor=compressor)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.5)
    g = torch.Generator().manual_seed(100 + comm.rank)
    losses = []
    for _ in range(STEPS):
        x = torch.randn(8, 12, generator=g)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    values = {name: p.detach().clone() for name, p in model.module.named_parameters()}
    return losses, values, state.elements if state else [], model.module.frozen.weight.grad


def program(comm, folder, *options):
    return ddp.run_in_group(comm, train, comm, *options, folder=folder)


@pytest.fixture(scope="module")
def stock(world, K, tmp_path_factory):
    return run(world, K, program, str(tmp_path_factory.mktemp("stock")))


@pytest.fixture(scope="module")
def ringed(world, K, tmp_path_factory):
    return run(world, K, program, str(tmp_path_factory.mktemp("ring")), ddp.ring)


def equal(K, a, b):
    """To the last bit at K = 2, where there is one order of summation; else to 1e-5."""
    tolerance = {"rtol": 0, "atol": 0} if K == 2 else {"rtol": 1e-5, "atol": 1e-5}
    for (losses, values, _, _), (losses_b, values_b, _, _) in zip(a, b, strict=True):
        torch.testing.assert_close(losses, losses_b, **tolerance)
        torch.testing.assert_close(values, values_b, **tolerance)


def test_the_ring_trains_as_stock_ddp(K, stock, ringed):
    equal(K, stock.results, ringed.results)
    losses = ringed.results[0][0]
    assert losses[-1] < losses[0] / 2
    for _, values, _, frozen in ringed.results:
        assert frozen is None
        for name, value in values.items():
            assert torch.equal(value, ringed.results[0][1][name]), f"{name}: ranks end with different bits"


def test_the_ledger_is_the_sum_of_the_rings_closed_form_over_the_buckets(K, stock, ringed):
    elements = ringed.results[0][2]
    assert all(result[2] == elements for result in ringed.results)
    trained = sum(p.numel() for p in Net().parameters() if p.requires_grad)
    assert trained == 12 * 12 + 12 + 12 + 13 * 21_001
    assert sum(elements) == STEPS * trained
    assert len(elements) > 2 * STEPS - 1                   # several buckets a step
    for rank in range(K):
        ports = [cost.ring_all_reduce(n, K).ports[rank] for n in elements]
        assert ringed.ledger.port(rank) == (sum(port.out_bytes for port in ports), sum(port.in_bytes for port in ports))
    assert stock.ledger.total() == 0


def test_a_students_all_reduce_does_as_well(world, K, stock, tmp_path):
    seen = run(world, K, program, str(tmp_path), students)
    equal(K, stock.results, seen.results)
    assert seen.ledger.port(0)[0] == 4 * sum(seen.results[0][2]) * (K - 1)


def test_a_compressor_under_ddp(world, K, stock, tmp_path):
    """Each parameter under its name: bytes by the compressor's own closed form, and training goes on."""
    trained = [tuple(p.shape) for p in Net().parameters() if p.requires_grad]
    compressor, far = (Half("bf16"), 0.05) if K == 2 else (ErrorFeedback(TopK(ratio=0.05)), 0.3)
    seen = run(world, K, program, str(tmp_path), ddp.ring, compressor)
    for rank in range(K):
        ports = [compressor.traffic(shape, K).ports[rank] for shape in trained]
        assert seen.ledger.port(rank) == (STEPS * sum(p.out_bytes for p in ports),
                                          STEPS * sum(p.in_bytes for p in ports))
        assert seen.results[rank][0][-1] == pytest.approx(stock.results[rank][0][-1], rel=far)
        for name, value in seen.results[rank][1].items():
            assert torch.equal(value, seen.results[0][1][name]), name


def test_dividing_twice_and_forgetting_to_write_are_seen(world, K, stock, tmp_path):
    twice = run(world, K, program, str(tmp_path), divides_too)
    with pytest.raises(AssertionError):
        equal(K, stock.results, twice.results)
    with pytest.raises(RuntimeError, match="all_reduce returned a Tensor; it must write the sum into"):
        run(world, K, program, str(tmp_path), forgets)


def test_one_folder_serves_again_and_the_group_is_gone(world, tmp_path):
    def again(comm, folder):
        import torch.distributed as dist
        inside = [ddp.run_in_group(comm, dist.get_world_size, folder=folder) for _ in range(2)]
        return inside, dist.is_initialized()

    (tmp_path / "store").write_bytes(b"left behind by a run that was killed")
    assert run(world, 3, again, str(tmp_path)).results == [([3, 3], False)] * 3


def test_what_cannot_be_is_told(world, tmp_path):
    def half(comm, folder):
        def inside():
            alone = comm.split(comm.rank)
            return ddp.attach(DistributedDataParallel(Net()), alone)
        ddp.run_in_group(comm, inside, folder=folder)

    with pytest.raises(ValueError, match="comm has 1 ranks and the model's process group 2; they must be equal"):
        run(world, 2, half, str(tmp_path))
    with pytest.raises(ValueError, match="folder=None; where torch.distributed has no group yet"):
        run(world, 2, program, None)


def test_the_simulator_says_that_it_has_one_process(tmp_path):
    with pytest.raises(ValueError, match=re.escape("2 ranks, and 1 processes met")):
        SimWorld(2).run(program, str(tmp_path))
