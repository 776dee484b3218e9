"""Three ways to train one model, and the reference: what happens before the forward and after the backward pass.

    strategy     dense parameters                       rows of tables                          torch or rule
    single       torch.optim here                       torch.optim here                        torch.optim
    allreduce    gradients through the ring, rule here  the same, all rows, touched or not      rule on every worker
    hybrid       gradients through the ring, rule here  pull unique rows, push their gradients  rule here, and there
    server       pull all, push all gradients           pull unique rows, push their gradients  rule on the servers

Gradients arrive weighted (a worker's share of the global batch), so everybody sums: the ring, and the servers. The
sharded embedding bags pull in forward and push in backward by themselves; here a round ends with `clock()`.
"""

from __future__ import annotations

import torch
from torch import nn

from pslab.collectives import all_reduce
from pslab.comm import Comm
from pslab.ps import SGD, AdaGrad, KVWorker, Rule

from .flat import Flat

DENSE_TABLE = "dense"       # the servers' table of all dense parameters: P rows of 1


class Local:
    """`single`: everything in this process, stepped by torch.optim."""

    def __init__(self, model: nn.Module, comm: Comm | None, rule: Rule, kv: KVWorker | None):
        self.optimizer = _torch_optimizer(model, rule)

    def before(self) -> None:
        self.optimizer.zero_grad()

    def after(self) -> None:
        self.optimizer.step()

    def sync(self) -> None:
        """Bring the model's own parameters up to date."""


class AllReduce:
    """`allreduce`: two rings a step, one for the dense gradients and one for those of all rows of all tables."""

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker | None):
        dense, tables = split_parameters(model)
        self.parts = [_Replica(part, comm, rule) for part in (dense, tables) if part]

    def before(self) -> None:
        for part in self.parts:
            part.flat.zero_grads()

    def after(self) -> None:
        for part in self.parts:
            part.step()

    def sync(self) -> None:
        """Nothing to do: every worker took the same step."""


class Hybrid:
    """`hybrid`: rows on servers, dense gradients through the ring. Pushes travel while the ring turns."""

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker):
        self.dense, self.kv = _Replica(split_parameters(model)[0], comm, rule), kv

    def before(self) -> None:
        self.dense.flat.zero_grads()

    def after(self) -> None:
        self.dense.step()
        self.kv.clock()

    def sync(self) -> None:
        """Nothing to do: every worker took the same step."""


class Server:
    """`server`: rows and dense parameters on servers; the dense ones by range, so that no keys travel for them."""

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker):
        self.flat, self.kv = Flat(split_parameters(model)[0], comm.empty), kv
        self.all = range(len(self.flat))

    def before(self) -> None:
        self.flat.zero_grads()
        self.sync()

    def after(self) -> None:
        self.kv.push(self.all, self.flat.grads.unsqueeze(1), table=DENSE_TABLE)
        self.kv.clock()

    def sync(self) -> None:
        """Pull the dense parameters into the model."""
        self.kv.wait(self.kv.pull(self.all, table=DENSE_TABLE, out=self.flat.values.unsqueeze(1)))


STRATEGIES = {"single": Local, "allreduce": AllReduce, "server": Server, "hybrid": Hybrid}
NEEDS_SERVERS = ("server", "hybrid")


class _Replica:
    """Parameters that every worker holds: gradients summed over the ring, then the same step everywhere."""

    def __init__(self, parameters: list[nn.Parameter], comm: Comm, rule: Rule):
        self.flat, self.comm, self.rule, self.t = Flat(parameters, comm.empty), comm, rule, 0
        self.state = rule.new_state(len(self.flat), 1)

    def step(self) -> None:
        all_reduce(self.comm, self.flat.grads)
        self.t += 1
        self.rule.step(self.flat.values.numpy()[:, None], self.flat.grads.numpy()[:, None], self.state, self.t)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(dense parameters, rows of embedding tables held in this process)."""
    tables = list(model.embeddings.parameters()) if hasattr(model, "embeddings") else []
    ids = {id(parameter) for parameter in tables}
    return [parameter for parameter in model.parameters() if id(parameter) not in ids], tables


def _torch_optimizer(model: nn.Module, rule: Rule) -> torch.optim.Optimizer:
    if isinstance(rule, SGD):
        return torch.optim.SGD(model.parameters(), lr=rule.lr)
    if isinstance(rule, AdaGrad):
        return torch.optim.Adagrad(model.parameters(), lr=rule.lr, eps=rule.eps,
                                   initial_accumulator_value=rule.initial_accumulator)
    raise ValueError(f"optimizer={rule!r}; strategy 'single' knows SGD and AdaGrad")
