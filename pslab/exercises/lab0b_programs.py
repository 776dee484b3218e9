"""Programs of the course that run *around* an answer of lab 0B, in the student's process: nothing here judges.

    0B.2  sparse_steps      gradients that are given, step after step ──> sparse_sum ──> what came back, what was kept
          sparse_training   gradients that depend on what came back
    0B.3  ddp_training      DistributedDataParallel ──bucket──> ring_hook ──future──> DistributedDataParallel

DistributedDataParallel insists on a process group. Here each rank has one with nobody else in it, so that torch's own
collectives carry nothing from rank to rank: what reaches another rank went through `comm`. For that reason it also
runs in the simulator, where all ranks live in one process.
"""

from __future__ import annotations

import torch
from torch import nn

# ---- 0B.2 -----------------------------------------------------------------------------------------------------------


def sparse_steps(sparse_sum, comm, steps: list[dict], k: int) -> dict:
    """steps[t][name]: the gradient (P,) of a parameter. What sparse_sum returned for each; the residuals at last; the
    name of a gradient that it changed, or ''.
    """
    residuals: dict = {}
    sums, changed = [], ""
    for step in steps:
        before = {name: gradient.clone() for name, gradient in step.items()}
        sums.append({name: sparse_sum(comm, name, gradient, k, residuals) for name, gradient in step.items()})
        changed = changed or next((name for name in step if not torch.equal(step[name], before[name])), "")
    return {"sums": sums, "residuals": residuals, "changed": changed}


def sparse_training(sparse_sum, comm, start: torch.Tensor, target: torch.Tensor, k: int, lr: float,
                    steps: int) -> list[torch.Tensor]:
    """Where w was after each step of SGD, (P,) each. A worker's loss is ½‖w − target‖², and it knows its own target.

    start, target (P,). The optimum of all workers together is the mean of their targets.
    """
    w, residuals, path = start.clone(), {}, []
    for _ in range(steps):
        w = w - lr * sparse_sum(comm, "w", w - target, k, residuals) / comm.world_size
        path.append(w)
    return path


# ---- 0B.3 -----------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """(B, width) -> (B,). `last` is tied to `first`, `frozen` is not trained, `head` has most of the parameters."""

    def __init__(self, width: int, head: int):
        super().__init__()
        self.first, self.frozen, self.last = (nn.Linear(width, width) for _ in range(3))
        self.last.weight = self.first.weight
        self.frozen.requires_grad_(False)
        self.head = nn.Linear(width, head)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.last(self.frozen(torch.tanh(self.first(x)))))).mean(1)


def model_of(seed: int, width: int, head: int) -> Net:
    """The same values on every rank: from the seed alone, and without a word to torch's global generator."""
    model, generator = Net(width, head), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / width**0.5)
    return model


def loss_of(model, seed: int, step: int, rank: int, width: int) -> torch.Tensor:
    """A rank's loss in a step, on four examples of its own."""
    generator = torch.Generator().manual_seed(seed + 1000 * step + rank + 1)
    x = torch.randn(4, width, generator=generator)
    return ((model(x) - x.sum(1)) ** 2).mean()


def descend(model, lr: float) -> None:
    """One step of SGD, on what has a gradient."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= lr * parameter.grad
                parameter.grad = None


def ddp_training(hook, comm, seed: int, width: int, head: int, lr: float, steps: int, bucket_mb: float) -> dict:
    """One rank of a training under DistributedDataParallel with ring_hook(comm, bucket) as its comm hook.

    losses (one a step), buckets (elements of each bucket that the hook got, in order), parameters (P,) at last.
    """
    from torch.nn.parallel import DistributedDataParallel

    model, buckets = model_of(seed, width, head), []

    def counted(state, bucket):
        buffer = bucket.buffer()
        buckets.append(buffer.numel())
        return checked(hook(state, bucket), buffer.numel())

    ddp = DistributedDataParallel(model, process_group=group_of_one(), bucket_cap_mb=bucket_mb)
    ddp.register_comm_hook(comm, counted)
    losses = []
    for step in range(steps):
        loss = loss_of(ddp, seed, step, comm.rank, width)
        loss.backward()
        descend(model, lr)
        losses.append(loss.item())
    parameters = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    return {"losses": losses, "buckets": buckets, "parameters": parameters}


def checked(future, elements: int):
    """What the hook returned, or TypeError in the student's terms: DDP's own words speak of C++."""
    if not isinstance(future, torch.futures.Future):
        raise TypeError(f"the hook returned a {type(future).__name__}; DDP needs a torch.futures.Future, whose result "
                        f"is the averaged bucket")
    if not future.done():
        raise TypeError("the hook returned a future without a result, and DDP would wait for it for ever; call "
                        "future.set_result(tensor) before you return it")
    tensor = future.value()
    if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float32 or tensor.numel() != elements:
        what = f"{tensor.dtype} with {tensor.numel()} elements" if isinstance(tensor, torch.Tensor) else type(tensor)
        raise TypeError(f"the future's result is {what}; DDP needs torch.float32 with {elements} elements, as the "
                        f"bucket has")
    return future


def group_of_one():
    """A process group of torch's in which this rank is alone; it is not the default group, which stays unset."""
    import torch.distributed as dist
    from torch._C._distributed_c10d import FakeProcessGroup

    group, kind = dist.ProcessGroup(dist.HashStore(), 0, 1), dist.ProcessGroup.BackendType.CUSTOM
    group._set_default_backend(kind)
    group._register_backend(torch.device("cpu"), kind, FakeProcessGroup._create_internal(0, 1))
    return group
