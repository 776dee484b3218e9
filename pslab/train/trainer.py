"""One face for all strategies: batch in, loss out, parameters updated wherever they live.

    step(batch):   strategy.before()   fetch what the servers hold (strategy `server`)
                   forward             sharded bags pull their rows
                   backward            of the loss sum / B_global: gradients are this worker's share
                   strategy.after()    sum over workers, take the step, end the round

    pipelined      backward ══════════╗                              ring: begins with the last layer's gradients
                    └ ring ═══════════╬═════ step of dense           rows: those of the next batch are asked for as
                          end of round ╝ └─ rows of the next ══>     soon as the round has ended, while rings turn
"""

from __future__ import annotations

import torch
from torch import nn

from pslab.comm import Comm
from pslab.data import Batch
from pslab.embedding import FusedEmbeddingBagCollection
from pslab.ps import SGD, KVWorker, Rule

from .clipping import Clip
from .losses import LOSSES
from .pipelined import check_bucket_bytes
from .precision import PRECISIONS, Forward
from .strategies import NEEDS_SERVERS, STRATEGIES, How, ask_ahead, sharded_modules


class Trainer:
    """Trains `model` (called as model(dense, sparse) -> logits (B,)) with one of five strategies.

    strategy: "single" (this process alone, the reference), "allreduce", "server", "hybrid" (rows on servers) or
    "exchange" (rows on the workers, by all-to-all). comm: the group of the K workers, not the servers; not needed for
    "single". optimizer: an update rule, SGD(lr) or AdaGrad(lr), or one with a schedule, Scheduled(AdaGrad(lr), ...);
    what lives on servers is updated by the rule that the servers' tables name, what owners hold by the rule of their
    ShardedEmbeddingBagCollection. kv: for "server" and "hybrid" the KVWorker that the model's
    ShardedEmbeddingBagCollection uses too; for "exchange" its backend is comm. loss: "logistic", "squared" or "linear".

    clip: Clip(max_norm, over), or a number: gradients of the whole step are shortened to it (see clipping.py).
    precision: "float32", or "bf16": the forward under torch.autocast; parameters and gradients stay float32.
    pipelined: rings begin in backward, and rows of the batch that `step` is told as `upcoming` are asked for ahead.
    rows_ahead: 0: as soon as the round before theirs has ended: nothing but time changes. 1: before the forward of the
    step before theirs: rows are one round older than their table's consistency promises (BSP: staleness 1 exactly).
    bucket_bytes: how the rings are cut (see pipelined.py).

    strategy may be an object too, with before(), after() and sync(), such as a Downpour or a Hogwild over the model's
    parameters: it knows its servers and its rates, and no option but `loss` and `precision` goes with it.

    Workers step together: each with its part of the global batch, parts in any sizes, also of no rows at all.
    """

    def __init__(self, model: nn.Module, strategy: str | object = "single", comm: Comm | None = None,
                 optimizer: Rule | None = None, kv: KVWorker | None = None, loss: str = "logistic", *,
                 clip: Clip | float | None = None, precision: str = "float32", pipelined: bool = False,
                 rows_ahead: int = 0, bucket_bytes: int | None = None):
        clip = clip if clip is None or isinstance(clip, Clip) else Clip(clip)
        _check(model, strategy, comm, kv, loss)
        check_options(strategy, clip, precision, pipelined, rows_ahead, bucket_bytes, steps_itself(model))
        self.model, self.strategy, self.comm, self.kv = model, strategy, comm, kv
        self.optimizer = SGD(0.1) if optimizer is None else optimizer
        self._loss, self._sharded = LOSSES[loss], sharded_modules(model)
        self._forward = Forward(model, precision, self._sharded)
        self.pipelined, self.rows_ahead = pipelined, rows_ahead
        named, how = isinstance(strategy, str), How(clip, pipelined, bucket_bytes)
        self._strategy = STRATEGIES[strategy](model, comm, self.optimizer, kv, how) if named else strategy
        self.loss_sum = 0.0      # of the last step, over this worker's rows
        self.steps = 0           # taken so far

    def step(self, batch: Batch, global_size: int | None = None, upcoming: Batch | None = None) -> float:
        """One step on this worker's part of the global batch; gives the mean loss over that part (0 for no rows).

        global_size: rows of the whole global batch; by default K times this part, which is right when all parts are
        equal. The mean over the global batch is the mean of the workers' losses weighted by their rows. upcoming: the
        part that the next call will bring, the same object; where pipelined, else it is not looked at. All workers
        name one, or none.
        """
        workers = 1 if self.comm is None else self.comm.world_size
        global_size = len(batch) * workers if global_size is None else global_size
        if global_size < max(1, len(batch)):
            raise ValueError(f"global_size={global_size}; at least 1 and the {len(batch)} rows of this part are needed")
        upcoming = upcoming if self.pipelined else None
        for module in self._sharded:
            module.forget(keep=batch.sparse)
        self._strategy.before()
        if self.rows_ahead:
            ask_ahead(self._sharded, batch)
            ask_ahead(self._sharded, upcoming)
        loss = self._loss(self._forward(batch.dense, batch.sparse), batch.labels)
        (loss / global_size).backward()
        if upcoming is None or self.rows_ahead:
            self._strategy.after()
        else:
            self._strategy.after(upcoming)
        self.steps += 1
        self.loss_sum = float(loss.detach())
        return self.loss_sum / max(1, len(batch))

    def predict(self, batch: Batch) -> torch.Tensor:
        """Logits (B,) with the parameters of all finished rounds. No gradients, no messages between workers; under
        "exchange" all workers ask together."""
        self._strategy.sync()
        # Detached, not under no_grad: ranks that share a thread may not wait for rows under a grad mode of their own.
        return self._forward(batch.dense, batch.sparse).detach()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All parameters by name, copies: those of a local model of the same shape, wherever they live now.

        Under "exchange" all workers ask together.
        """
        self._strategy.sync()
        state = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        for name, module in self.model.named_modules():
            if module in self._sharded:
                for table in module.configs:
                    state[f"{name}.tables.{table.name}.weight"] = module.rows(table.name)
        return state

    def close(self) -> None:
        """Take back what was asked for ahead and not used; a pipelined worker that stops early calls it."""
        for module in self._sharded:
            module.forget()


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
    sharded = sharded_modules(model)
    if steps_itself(model) and isinstance(strategy, str) and strategy != "single":
        raise ValueError(f"strategy {strategy!r} with a FusedEmbeddingBagCollection, which steps its rows by the "
                         f"gradients of its own process; an EmbeddingBagCollection or a sharded one is needed")
    if strategy in NEEDS_SERVERS:
        if kv is None:
            raise ValueError(f"kv=None; strategy {strategy!r} needs a KVWorker")
        if not sharded or any(module.backend is not kv for module in sharded):
            raise ValueError(f"strategy {strategy!r} needs a model whose embeddings are a "
                             f"ShardedEmbeddingBagCollection over the same kv")
    elif strategy == "exchange":
        if not sharded or any(module.backend is not comm for module in sharded):
            raise ValueError("strategy 'exchange' needs a model whose embeddings are a ShardedEmbeddingBagCollection "
                             "with the same comm as its backend")
    elif sharded:
        raise ValueError(f"strategy {strategy!r} holds all rows in each process; its model needs a local "
                         f"EmbeddingBagCollection")


def steps_itself(model: nn.Module) -> bool:
    """Whether a part of the model is stepped inside of backward."""
    return any(isinstance(module, FusedEmbeddingBagCollection) for module in model.modules())


def check_options(strategy, clip: Clip | None, precision: str, pipelined: bool, rows_ahead: int, bucket_bytes,
                  fused: bool = False) -> None:
    """ValueError for options that do not go together; see Trainer."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}; allowed: {', '.join(map(repr, PRECISIONS))}")
    check_bucket_bytes(bucket_bytes)
    if not isinstance(pipelined, bool):
        raise ValueError(f"pipelined={pipelined!r}; True or False is needed")
    if rows_ahead not in (0, 1) or isinstance(rows_ahead, bool):
        raise ValueError(f"rows_ahead={rows_ahead!r}; 0 or 1 is needed")
    if rows_ahead and not (pipelined and strategy in NEEDS_SERVERS):
        raise ValueError(f"rows_ahead=1 with strategy {strategy!r} and pipelined={pipelined}; it needs rows on servers "
                         f"({', '.join(NEEDS_SERVERS)}) and pipelined=True")
    if pipelined and (strategy == "single" or not isinstance(strategy, str)):
        raise ValueError(f"pipelined=True with strategy {strategy!r}; there is nothing that could travel meanwhile")
    if clip is not None and clip.over == "all" and fused:
        raise ValueError("clip over 'all' with a FusedEmbeddingBagCollection, which steps its rows inside of backward; "
                         "Clip(max_norm, 'dense') is possible")
    if not isinstance(strategy, str) and (clip is not None or bucket_bytes is not None):
        raise ValueError("clip and bucket_bytes go with the named strategies; this one is an object")
