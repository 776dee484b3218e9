"""Mini-batch SGD with an all-reduce: every worker holds the whole model and takes the same steps.

    every worker r of K, for a batch of B examples:
        g_r = Σ over its own share of the batch of the gradients       forward, backward
        g   = Σ_r g_r                                                  all_reduce: the same bits on every worker
        w   = w − η · g / B                                            the same step on every worker

    batch of B = 8     | 0 1 2 | 3 4 5 | 6 7 |        K = 3: shares as tensor_split cuts them

Sums are added, and divided by the *global* B once: so shares may differ in size, and the step is that of one process
with the whole batch. It is so to the last bit where all sums are representable: then their order does not matter.
Initial values are rank 0's.

With delay=1 the all-reduce of a step travels while the next one computes, and a step takes the time of the longer of
the two, for the price of gradients that are one step late (`pslab.collectives.DelayedAllReduce`):

        w = w − η · g₋ / B₋        g₋, B₋: of the step before; none in the first step, one is left after the last

With momentum or Adam only the last line differs, and their state is never sent: equal
gradients keep equal states equal. Kingma and Ba (2015), "Adam: a method for stochastic optimization".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from pslab.collectives import DelayedAllReduce, all_reduce, all_reduce_fused, broadcast
from pslab.comm import Comm


def allreduce_sgd(comm: Comm, model: torch.nn.Module, loss_sum: Callable, batches: Iterable[tuple], *,
                  rule: Rule | None = None, lr: float | None = None, delay: int = 0) -> None:
    """Train `model`, the same on every worker in the end.

    loss_sum   loss_sum(model, *share): the *sum* of the losses over the examples of the share, a tensor of one number
    batches    tuples of tensors with B examples each in their first dimension, the same on every worker, of any B ≥ 1;
               a worker takes its own share of them. B may be below K: a share may be empty
    rule       Momentum(...) or Adam(...); lr= alone is SGD without either
    delay      1: use each step's gradient one step late, and overlap its all-reduce with the next step's computing; the
               last one is used before this returns
    """
    if (rule is None) == (lr is None):
        raise ValueError(f"rule={rule!r}, lr={lr!r}; exactly one of them is needed")
    steps = AllReduceSteps(comm, model.parameters(), Momentum(lr, 0.0) if rule is None else rule,
                           delay=delay)
    for batch in batches:
        size = len(batch[0])
        if not size or any(len(tensor) != size for tensor in batch):
            raise ValueError(f"a batch has {[len(tensor) for tensor in batch]} examples in its tensors; the same "
                             f"number, 1 or more, is needed in each")
        share = [tensor.tensor_split(comm.world_size)[comm.rank] for tensor in batch]
        if len(share[0]):
            loss_sum(model, *share).backward()
        steps.step(size)
    steps.finish()


class AllReduceSteps:
    """The last two lines of the algorithm, for a loop of one's own: `step(B)` after `backward` of a sum of losses.

    With delay=1, `finish()` after the loop takes the step that is left.
    """

    def __init__(self, comm: Comm, parameters: Iterable[torch.nn.Parameter], rule: Rule, *, delay: int = 0):
        if not isinstance(rule, Rule):
            raise ValueError(f"rule={rule!r}; Momentum(lr) or Adam(lr) is needed")
        if delay not in (0, 1) or isinstance(delay, bool):
            raise ValueError(f"delay={delay!r}; 0 (exact) or 1 (one step late) is allowed")
        parameters = list(parameters)
        for parameter in parameters:
            broadcast(comm, parameter.data)
        self.comm, self.rule, self.t = comm, rule, 0
        self.delayed = DelayedAllReduce(comm, all_reduce=_ring) if delay else None
        self.late_batch_size = 0                        # of the gradient that travels
        self.trained = [parameter for parameter in parameters if parameter.requires_grad]
        self.states = [tuple(torch.zeros_like(parameter, requires_grad=False) for _ in range(rule.slots))
                       for parameter in self.trained]

    def step(self, batch_size: int) -> None:
        """Sum the gradients over the workers, divide by the global batch size, take a step, and clear them."""
        sums = [torch.zeros_like(p.data) if p.grad is None else p.grad for p in self.trained]
        if self.delayed is None:
            all_reduce_fused(self.comm, sums, all_reduce=_ring)
        else:
            sums = self.delayed.exchange(sums)
            batch_size, self.late_batch_size = self.late_batch_size, batch_size
        for parameter in self.trained:
            parameter.grad = None
        self._update(sums, batch_size)

    def finish(self) -> None:
        """Take the step whose gradient still travels; nothing to do without delay, or before the first step."""
        if self.delayed is not None:
            self._update(self.delayed.drain(), self.late_batch_size)

    def _update(self, sums: list[torch.Tensor] | None, batch_size: int) -> None:
        if sums is None:
            return
        self.t += 1
        with torch.no_grad():
            for parameter, gradient, state in zip(self.trained, sums, self.states):
                self.rule.update(parameter, gradient.div_(batch_size), state, self.t)


class Rule:
    """What a mean gradient does to a parameter, in place; `slots` tensors of the parameter's shape are its state."""

    slots = 0

    def __init__(self, lr: float):
        self.lr = _checked("lr", lr, 0, float("inf"))

    def update(self, parameter: torch.Tensor, gradient: torch.Tensor, state: tuple, t: int) -> None:
        raise NotImplementedError


class Momentum(Rule):
    """v = μ v + g,  w −= η v: as torch.optim.SGD(momentum=μ); with μ = 0 plain SGD, w −= η g."""

    slots = 1

    def __init__(self, lr: float, momentum: float = 0.9):
        super().__init__(lr)
        self.momentum = _checked("momentum", momentum, 0, 1)

    def update(self, parameter, gradient, state, t):
        velocity = state[0]
        velocity.mul_(self.momentum).add_(gradient)
        parameter -= self.lr * velocity


class Adam(Rule):
    """m and v: running means of g and g², corrected for their start at 0;  w −= η m̂ / (√v̂ + ε): as torch.optim.Adam."""

    slots = 2

    def __init__(self, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        super().__init__(lr)
        self.betas = tuple(_checked("betas", beta, 0, 1) for beta in betas)
        self.eps = _checked("eps", eps, 0, float("inf"))

    def update(self, parameter, gradient, state, t):
        (first, second), (m, v) = self.betas, state
        m.mul_(first).add_(gradient, alpha=1 - first)
        v.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        parameter -= self.lr * (m / (1 - first**t)) / ((v / (1 - second**t)).sqrt() + self.eps)


def _ring(comm: Comm, tensor) -> None:
    all_reduce(comm, tensor, algorithm="ring")


def _checked(name: str, value: float, least: float, below: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < below:
        raise ValueError(f"{name}={value!r}; at least {least} and below {below} is needed")
    return float(value)
