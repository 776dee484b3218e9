"""DDP's hook does not block: a bucket travels while backward computes the next one's gradients."""

import re
import threading

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pslab.collectives import all_reduce, ddp
from pslab.comm import ProcessWorld, Stalled


@pytest.fixture(scope="module")
def world():
    with ProcessWorld(2) as world:
        yield world


def layers():
    torch.manual_seed(3)
    return nn.Sequential(*[nn.Linear(600, 600) for _ in range(3)])


class Noting:
    """An all-reduce that notes which thread runs it, and whether backward had come to its end before the first bucket
    was done."""

    def __init__(self):
        self.at_the_end = threading.Event()
        self.begin(0)

    def begin(self, patience_s):
        self.patience_s, self.on_main, self.reached = patience_s, [], []
        self.at_the_end.clear()

    def __call__(self, comm, tensor):
        self.on_main.append(threading.current_thread() is threading.main_thread())
        if len(self.on_main) == 1:                       # the first bucket stays on its way for so long
            self.reached.append(self.at_the_end.wait(self.patience_s))
        all_reduce(comm, tensor, algorithm="ring")


def step(comm, folder, overlap, patience_s):
    noting = Noting()

    def inside():
        model = DistributedDataParallel(layers(), bucket_cap_mb=0.4)
        state = ddp.attach(model, comm, noting, overlap=overlap)
        first_weight = next(model.parameters())
        first_weight.register_hook(lambda gradient: noting.at_the_end.set())        # backward comes to it last
        x = torch.ones(2, 600) * (comm.rank + 1)
        model(x).sum().backward()                        # DDP's first pass has one bucket, whatever bucket_cap_mb says
        noting.begin(patience_s)
        state.elements.clear()
        model.zero_grad()
        model(x).sum().backward()
        return noting.reached, noting.on_main, state.elements, first_weight.grad.clone()
    return ddp.run_in_group(comm, inside, folder=folder)


def test_backward_goes_on_while_the_first_bucket_travels(world, tmp_path):
    overlapped = world.run(step, str(tmp_path), True, 20.0).results
    for reached, on_main, elements, _ in overlapped:
        assert len(elements) > 1
        assert reached == [True], "backward did not come to its end before the first bucket was done"
        assert on_main == [False] * len(elements)
    blocking = world.run(step, str(tmp_path), False, 0.05).results
    for (reached, on_main, elements, gradient), other in zip(blocking, overlapped, strict=True):
        assert reached == [False]
        assert on_main == [True] * len(elements)
        assert torch.equal(gradient, other[3])


def test_a_rank_that_skips_backward_is_found_and_named(world, tmp_path):
    def one_stays_away(comm, folder):
        def inside():
            model = DistributedDataParallel(layers(), bucket_cap_mb=0.4)
            ddp.attach(model, comm)
            if comm.rank:
                comm.recv(0)
            model(torch.ones(2, 600)).sum().backward()
        ddp.run_in_group(comm, inside, folder=folder)

    with pytest.raises(Stalled, match=re.escape("wait() of average")) as stalled:
        world.run(one_stays_away, str(tmp_path), timeout_s=1.0)
    assert "backward()" in str(stalled.value) or "inside" in str(stalled.value)


@pytest.mark.long
def test_errors_in_the_background_come_out_of_backward(world, tmp_path):
    def fails(comm, tensor):
        raise FloatingPointError("of my own")

    def failing(comm, folder):
        def inside():
            model = DistributedDataParallel(layers(), bucket_cap_mb=0.4)
            ddp.attach(model, comm, fails)
            model(torch.ones(2, 600)).sum().backward()
        ddp.run_in_group(comm, inside, folder=folder)

    with pytest.raises(FloatingPointError, match="of my own"):
        world.run(failing, str(tmp_path))
