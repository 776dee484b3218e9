"""One face for all strategies: batch in, loss out, parameters updated wherever they live.

    step(batch):   strategy.before()   fetch what the servers hold (strategy `server`)
                   forward             sharded bags pull their rows
                   backward            of the loss sum / B_global: gradients are this worker's share
                   strategy.after()    sum over workers, take the step, end the round
"""

from __future__ import annotations

import torch
from torch import nn

from pslab.comm import Comm
from pslab.data import Batch
from pslab.embedding import ShardedEmbeddingBagCollection
from pslab.ps import SGD, KVWorker, Rule

from .losses import LOSSES
from .strategies import NEEDS_SERVERS, STRATEGIES


class Trainer:
    """Trains `model` (called as model(dense, sparse) -> logits (B,)) with one of four strategies.

    strategy: "single" (this process alone, the reference), "allreduce", "server" or "hybrid". comm: the group of the
    K workers, not the servers; not needed for "single". optimizer: an update rule, SGD(lr) or AdaGrad(lr); what
    lives on servers is updated by the rule that the servers' tables name. kv: for "server" and "hybrid" the KVWorker
    that the model's ShardedEmbeddingBagCollection uses too. loss: "logistic", "squared" or "linear".

    strategy may be an object too, with before(), after() and sync(), such as a Downpour or a Hogwild over the model's
    parameters: it knows its servers and its rates, and optimizer and kv are not looked at.

    Workers step together: each with its part of the global batch, parts in any sizes, also of no rows at all.
    """

    def __init__(self, model: nn.Module, strategy: str | object = "single", comm: Comm | None = None,
                 optimizer: Rule | None = None, kv: KVWorker | None = None, loss: str = "logistic"):
        _check(model, strategy, comm, kv, loss)
        self.model, self.strategy, self.comm, self.kv = model, strategy, comm, kv
        self.optimizer = SGD(0.1) if optimizer is None else optimizer
        self._loss = LOSSES[loss]
        named = isinstance(strategy, str)
        self._strategy = STRATEGIES[strategy](model, comm, self.optimizer, kv) if named else strategy
        self.loss_sum = 0.0      # of the last step, over this worker's rows

    def step(self, batch: Batch, global_size: int | None = None) -> float:
        """One step on this worker's part of the global batch; gives the mean loss over that part (0 for no rows).

        global_size: rows of the whole global batch; by default K times this part, which is right when all parts are
        equal. The mean over the global batch is the mean of the workers' losses weighted by their rows.
        """
        workers = 1 if self.comm is None else self.comm.world_size
        global_size = len(batch) * workers if global_size is None else global_size
        if global_size < max(1, len(batch)):
            raise ValueError(f"global_size={global_size}; at least 1 and the {len(batch)} rows of this part are needed")
        self._strategy.before()
        loss = self._loss(self.model(batch.dense, batch.sparse), batch.labels)
        (loss / global_size).backward()
        self._strategy.after()
        self.loss_sum = float(loss.detach())
        return self.loss_sum / max(1, len(batch))

    def predict(self, batch: Batch) -> torch.Tensor:
        """Logits (B,) with the parameters of all finished rounds. No gradients, no messages between workers."""
        self._strategy.sync()
        # Detached, not under no_grad: ranks that share a thread may not wait for rows under a grad mode of their own.
        return self.model(batch.dense, batch.sparse).detach()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All parameters by name, copies: those of a local model of the same shape, wherever they live now."""
        self._strategy.sync()
        state = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        for name, module in self.model.named_modules():
            if isinstance(module, ShardedEmbeddingBagCollection):
                for table in module.configs:
                    state[f"{name}.tables.{table.name}.weight"] = module.rows(table.name)
        return state


def _check(model: nn.Module, strategy: str, comm: Comm | None, kv: KVWorker | None, loss: str) -> None:
    if not isinstance(strategy, str) and all(callable(getattr(strategy, name, None))
                                             for name in ("before", "after", "sync")):
        strategy = "single" if comm is None else "allreduce"        # all rows in this process
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r}; allowed: {', '.join(STRATEGIES)}, or an object with before(), "
                         f"after() and sync()")
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r}; allowed: {', '.join(LOSSES)}")
    if strategy != "single" and comm is None:
        raise ValueError(f"comm=None; strategy {strategy!r} needs the group of the workers")
    sharded = [module for module in model.modules() if isinstance(module, ShardedEmbeddingBagCollection)]
    if strategy in NEEDS_SERVERS:
        if kv is None:
            raise ValueError(f"kv=None; strategy {strategy!r} needs a KVWorker")
        if not sharded or any(module.backend is not kv for module in sharded):
            raise ValueError(f"strategy {strategy!r} needs a model whose embeddings are a "
                             f"ShardedEmbeddingBagCollection over the same kv")
    elif sharded:
        raise ValueError(f"strategy {strategy!r} holds all rows in each process; its model needs a local "
                         f"EmbeddingBagCollection")
