"""Ways to train one model, and the reference: what happens before the forward and after the backward pass.

    strategy     dense parameters                       rows of tables                          torch or rule
    single       torch.optim here                       torch.optim here                        torch.optim
    allreduce    gradients through the ring, rule here  the same, all rows, touched or not      rule on every worker
    hybrid       gradients through the ring, rule here  pull unique rows, push their gradients  rule here, and there
    exchange     gradients through the ring, rule here  all-to-all between the workers, which   rule here, and at the
                                                        share the rows among themselves         owners
    server       pull all, push all gradients           pull unique rows, push their gradients  rule on the servers

Gradients arrive weighted (a worker's share of the global batch), so everybody sums: the ring, and the servers. The
sharded embedding bags fetch in forward and send in backward by themselves; here a round ends with `clock()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from pslab.collectives import all_reduce
from pslab.comm import Comm
from pslab.embedding import ShardedEmbeddingBagCollection
from pslab.ps import SGD, AdaGrad, KVWorker, Rule

from .clipping import Clip, clip_single, squares_of_dense, squares_of_rows
from .flat import Flat
from .pipelined import Buckets
from .schedules import Scheduled

DENSE_TABLE = "dense"       # the servers' table of all dense parameters: P rows of 1


@dataclass(frozen=True)
class How:
    """What a strategy does besides: see Trainer."""

    clip: Clip | None = None
    pipelined: bool = False
    bucket_bytes: int | None = None


class Local:
    """`single`: everything in this process, stepped by torch.optim."""

    def __init__(self, model: nn.Module, comm: Comm | None, rule: Rule, kv: KVWorker | None, how: How = How()):
        self.optimizer, self.rule, self.t = _torch_optimizer(model, rule), rule, 0
        self.model, self.clip = model, how.clip

    def before(self) -> None:
        self.optimizer.zero_grad()

    def after(self, upcoming=None) -> None:
        self.t += 1
        if isinstance(self.rule, Scheduled):
            self.optimizer.param_groups[0]["lr"] = self.rule.at(self.t).lr
        if self.clip is not None:
            clip_single(self.clip, *split_parameters(self.model))
        self.optimizer.step()

    def sync(self) -> None:
        """Bring the model's own parameters up to date."""


class AllReduce:
    """`allreduce`: two rings a step, one for the dense gradients and one for those of all rows of all tables."""

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker | None, how: How = How()):
        dense, tables = split_parameters(model)
        self.parts: list[Replica] = []
        for part in (dense, tables):
            if part:
                self.parts.append(Replica(part, comm, rule, how, behind=self.parts[-1] if self.parts else None))
        self.clip, self.clipped = how.clip, self.parts[:1] if how.clip and how.clip.over == "dense" else self.parts

    def before(self) -> None:
        for part in self.parts:
            part.begin()

    def after(self, upcoming=None) -> None:
        for part in self.parts:
            part.reduce()
        if self.clip is not None:
            times = self.clip.times(sum(part.square() for part in self.clipped))
            for part in self.clipped:
                part.scale(times)
        for part in self.parts:
            part.step()

    def sync(self) -> None:
        """Nothing to do: every worker took the same step."""


class OverWorkers:
    """Dense gradients through the ring, rows elsewhere: what `hybrid` and `exchange` have in common.

    Pipelined, the rings of `dense` turn from backward on, while the round ends and the next rows are asked for.
    """

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker | None, how: How = How()):
        self.dense, self.comm, self.kv, self.how = Replica(split_parameters(model)[0], comm, rule, how), comm, kv, how
        self.sharded = sharded_modules(model)
        if how.clip is not None and how.clip.over == "all":
            for module in self.sharded:
                module.hold()

    def before(self) -> None:
        self.dense.begin()

    def after(self, upcoming=None) -> None:
        if self.how.clip is not None:
            self.dense.reduce()
            self._clip(self.how.clip)
        if not self.how.pipelined:
            self.dense.reduce()
            self.dense.step()
        self.end_round(upcoming)
        if self.how.pipelined:
            self.dense.reduce()
            self.dense.step()

    def _clip(self, clip: Clip) -> None:
        square = self.dense.square()
        if clip.over == "all":
            square += squares_of_rows(self.comm, self.sharded)
        times = clip.times(square)
        self.dense.scale(times)
        if clip.over == "all":
            for module in self.sharded:
                module.release(times)

    def end_round(self, upcoming) -> None:
        """The round of the rows is over; those of `upcoming` may be asked for."""
        ask_ahead(self.sharded, upcoming)

    def sync(self) -> None:
        """Nothing to do: every worker took the same step."""


class Hybrid(OverWorkers):
    """`hybrid`: rows on servers, dense gradients through the ring. Pushes travel while the ring turns."""

    def end_round(self, upcoming) -> None:
        self.kv.clock()
        ask_ahead(self.sharded, upcoming)


class Exchange(OverWorkers):
    """`exchange`: rows on the workers, each a part of them; dense gradients through the ring."""


class Server:
    """`server`: rows and dense parameters on servers; the dense ones by range, so that no keys travel for them."""

    def __init__(self, model: nn.Module, comm: Comm, rule: Rule, kv: KVWorker, how: How = How()):
        self.flat, self.kv, self.comm, self.how = Flat(split_parameters(model)[0], comm.empty), kv, comm, how
        self.all, self.sharded, self._asked = range(len(self.flat)), sharded_modules(model), None
        if how.clip is not None and how.clip.over == "all":
            for module in self.sharded:
                module.hold()

    def before(self) -> None:
        self.flat.zero_grads()
        self.sync()

    def after(self, upcoming=None) -> None:
        if self.how.clip is not None:
            self._clip(self.how.clip)
        self.kv.push(self.all, self.flat.grads.unsqueeze(1), table=DENSE_TABLE)
        self.kv.clock()
        if self.how.pipelined:
            self._ask()
        ask_ahead(self.sharded, upcoming)

    def _clip(self, clip: Clip) -> None:
        square = squares_of_dense(self.comm, self.flat.grads)
        if clip.over == "all":
            square += squares_of_rows(self.comm, self.sharded)
        times = clip.times(square)
        self.flat.grads.mul_(times)
        if clip.over == "all":
            for module in self.sharded:
                module.release(times)

    def _ask(self) -> None:
        self._asked = self.kv.pull(self.all, table=DENSE_TABLE, out=self.flat.values.unsqueeze(1))

    def sync(self) -> None:
        """Pull the dense parameters into the model."""
        if self._asked is None:
            self._ask()
        asked, self._asked = self._asked, None
        self.kv.wait(asked)


STRATEGIES = {"single": Local, "allreduce": AllReduce, "server": Server, "hybrid": Hybrid, "exchange": Exchange}
NEEDS_SERVERS = ("server", "hybrid")


class Replica:
    """Parameters that every worker holds: gradients summed over the ring, then the same step everywhere."""

    def __init__(self, parameters: list[nn.Parameter], comm: Comm, rule: Rule, how: How = How(),
                 behind: Replica | None = None):
        self.flat, self.comm, self.rule, self.t = Flat(parameters, comm.empty), comm, rule, 0
        self.parameters, self.state = parameters, rule.new_state(len(self.flat), 1)
        self.buckets = Buckets(comm, parameters, self.flat.grads, how.bucket_bytes, how.pipelined,
                               None if behind is None else behind.buckets)
        self._summed = False

    def begin(self) -> None:
        self.flat.zero_grads()
        self.buckets.begin()
        self._summed = False

    def reduce(self) -> None:
        """Let the gradients be the sums over the workers; once a step, however often it is called."""
        if self._summed:
            return
        self._summed = True
        if self.buckets.pipelined:
            self.buckets.finish()
            return
        for part in self.buckets.parts:
            all_reduce(self.comm, part)

    def square(self) -> float:
        """The sum of squares of the summed gradients."""
        return float(self.flat.grads.double().square().sum())

    def scale(self, times: float) -> None:
        if times != 1.0:
            self.flat.grads.mul_(times)

    def step(self) -> None:
        self.t += 1
        self.rule.step(self.flat.values.numpy()[:, None], self.flat.grads.numpy()[:, None], self.state, self.t)


def sharded_modules(model: nn.Module) -> list[ShardedEmbeddingBagCollection]:
    """The embedding bags of the model whose rows are elsewhere, in the order of its modules."""
    return [module for module in model.modules() if isinstance(module, ShardedEmbeddingBagCollection)]


def ask_ahead(sharded: list[ShardedEmbeddingBagCollection], upcoming) -> None:
    """Ask for the rows of a coming batch; None: of none."""
    if upcoming is not None:
        for module in sharded:
            module.prefetch(upcoming.sparse)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(dense parameters, rows of embedding tables held in this process)."""
    tables = list(model.embeddings.parameters()) if hasattr(model, "embeddings") else []
    ids = {id(parameter) for parameter in tables}
    return [parameter for parameter in model.parameters() if id(parameter) not in ids], tables


def _torch_optimizer(model: nn.Module, rule: Rule) -> torch.optim.Optimizer:
    rule = rule.at(1) if isinstance(rule, Scheduled) else rule
    if isinstance(rule, SGD):
        return torch.optim.SGD(model.parameters(), lr=rule.lr)
    if isinstance(rule, AdaGrad):
        return torch.optim.Adagrad(model.parameters(), lr=rule.lr, eps=rule.eps,
                                   initial_accumulator_value=rule.initial_accumulator)
    raise ValueError(f"optimizer={rule!r}; strategy 'single' knows SGD and AdaGrad")
