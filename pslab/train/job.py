"""A training job, described once: what every rank, worker or server, builds its part from.

    Job ──> local_model()    all rows in this process            single, allreduce
       ├──> worker_model(kv) rows on servers                     hybrid, server
       │    ... (None, comm) rows on the workers                 exchange
       └──> kv_tables()      what the servers hold, and how it begins and is updated
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pslab.comm import Comm
from pslab.data import ClickLog
from pslab.embedding import (
    EmbeddingBagCollection,
    EmbeddingBagConfig,
    ShardedEmbeddingBagCollection,
    table_configs,
)
from pslab.models import DLRM
from pslab.ps import AdaGrad, Init, KVWorker, Rule, TableConfig, consistency_of

from .clipping import Clip
from .flat import flat_values
from .losses import LOSSES
from .strategies import DENSE_TABLE, NEEDS_SERVERS, STRATEGIES
from .trainer import check_options


@dataclass(frozen=True)
class Job:
    """What to train, and how: K = workers, S = servers (0 are started for strategies that use none).

    tables, num_dense, bottom, top, seed: of the DLRM. optimizer: the rule of workers and servers alike. init,
    dense_init: draw the first rows and dense weights; by default from `seed`. loss: see Trainer. ValueError for values
    that cannot run.

    staleness: rounds that a worker may run ahead of the slowest, for all that lives on servers: 0 is BSP, math.inf ASP
    (strategy hybrid: for rows; its ring keeps the workers in step). cache_rows: rows of each table that a worker keeps.

    clip, precision, pipelined, bucket_bytes: see Trainer. A pipelined hybrid with a staleness of 1 or more asks for
    rows one step ahead, which is one of these rounds: its tables then promise staleness - 1. The learning rate's
    schedule belongs to the optimizer: Scheduled(AdaGrad(0.05), ...), see schedules.py.
    """

    tables: tuple[EmbeddingBagConfig, ...]
    num_dense: int
    strategy: str = "hybrid"
    workers: int = 2
    servers: int = 2
    bottom: tuple[int, ...] = (64, 16)
    top: tuple[int, ...] = (64, 32, 1)
    optimizer: Rule = AdaGrad(0.05)
    loss: str = "logistic"
    seed: int = 0
    init: Init | None = None
    dense_init: Init | None = None
    staleness: float = 0
    cache_rows: int = 0
    clip: Clip | float | None = None
    precision: str = "float32"
    pipelined: bool = False
    bucket_bytes: int | None = None

    def __post_init__(self):
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy={self.strategy!r}; allowed: {', '.join(STRATEGIES)}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss!r}; allowed: {', '.join(LOSSES)}")
        if not isinstance(self.optimizer, Rule):
            raise ValueError(f"optimizer={self.optimizer!r}; an update rule is needed, as AdaGrad(0.05) or SGD(0.1)")
        _whole("workers", self.workers, 1)
        _whole("servers", self.servers, 1 if self.strategy in NEEDS_SERVERS else 0,
               f" by strategy {self.strategy!r}" if self.strategy in NEEDS_SERVERS else "")
        if self.strategy == "single" and self.workers > 1:
            raise ValueError(f"workers={self.workers}; strategy 'single' is one process, workers=1 is needed")
        consistency_of(self.staleness)
        _whole("cache_rows", self.cache_rows, 0)
        for argument in ("staleness", "cache_rows"):
            if getattr(self, argument) and self.strategy not in NEEDS_SERVERS:
                raise ValueError(f"{argument}={getattr(self, argument)}; strategy {self.strategy!r} has no servers, "
                                 f"0 is needed")
        object.__setattr__(self, "tables", tuple(self.tables))
        if self.clip is not None and not isinstance(self.clip, Clip):
            object.__setattr__(self, "clip", Clip(self.clip))
        check_options(self.strategy, **self.options)
        self.dense_model()      # refuses sizes that do not fit before any process is started

    @property
    def num_servers(self) -> int:
        """Servers that this strategy starts."""
        return self.servers if self.strategy in NEEDS_SERVERS else 0

    @property
    def world_size(self) -> int:
        """K + S: how many ranks the job runs on."""
        return self.workers + self.num_servers

    def local_model(self) -> DLRM:
        """The model with all rows in this process, at its first values."""
        return self.model(EmbeddingBagCollection(self.tables, seed=self.seed, init=self.init))

    def dense_model(self) -> DLRM:
        """The model without rows."""
        return self.model(torch.nn.Identity())

    def model(self, embeddings: torch.nn.Module) -> DLRM:
        """The model over the given embeddings, dense parameters at their first values."""
        model = DLRM(self.num_dense, self.tables, self.bottom, self.top, self.seed, embeddings)
        if self.dense_init is not None:
            parameters = model.dense_parameters()
            sizes = [parameter.numel() for parameter in parameters]
            values = torch.from_numpy(self.dense_init.rows(range(sum(sizes)), 1, DENSE_TABLE))
            with torch.no_grad():
                for parameter, part in zip(parameters, values.split(sizes)):
                    parameter.copy_(part.view_as(parameter))
        return model

    @property
    def rows_ahead(self) -> int:
        """By how many steps rows are asked for before the round that ends before theirs (see Trainer)."""
        return int(self.pipelined and self.strategy == "hybrid" and self.staleness >= 1)

    def worker_model(self, kv: KVWorker | None, comm: Comm | None = None) -> DLRM:
        """The model as a worker of this strategy holds it. comm: of the workers, for strategy `exchange`."""
        if self.strategy == "exchange":
            return self.model(ShardedEmbeddingBagCollection(self.tables, comm, rule=self.optimizer, seed=self.seed,
                                                            init=self.init))
        return self.local_model() if kv is None else self.model(ShardedEmbeddingBagCollection(self.tables, kv))

    @property
    def options(self) -> dict:
        """The options of this job's Trainers."""
        return {"clip": self.clip, "precision": self.precision, "pipelined": self.pipelined,
                "rows_ahead": self.rows_ahead, "bucket_bytes": self.bucket_bytes}

    def kv_tables(self) -> list[TableConfig]:
        """What the servers hold: the fused tables; for strategy `server` the dense parameters besides."""
        model = consistency_of(self.staleness - self.rows_ahead)
        tables = table_configs(self.tables, self.optimizer, seed=self.seed, init=self.init, consistency=model)
        if self.strategy == "server":
            values = flat_values(self.dense_model().dense_parameters()).numpy()
            tables.append(TableConfig(DENSE_TABLE, 1, len(values), self.optimizer, model, init=Given(values)))
        return tables


@dataclass(frozen=True)
class Given(Init):
    """First values as given: (R, D), or (R,) for D = 1."""

    values: np.ndarray

    def rows(self, keys, dim, table=""):
        keys = slice(keys.start, keys.stop) if isinstance(keys, range) else keys
        return np.array(self.values[keys], np.float32).reshape(-1, dim)


def tables_of(log: ClickLog, dim: int) -> tuple[EmbeddingBagConfig, ...]:
    """One table of dimension `dim` for each sparse feature of a click log."""
    return tuple(EmbeddingBagConfig(spec.num_embeddings, dim, spec.name, [spec.name], spec.pooling)
                 for spec in log.features)


def check_batches(job: Job, batches: Sequence) -> None:
    """ValueError when the batches are not those of the job."""
    features = {feature for table in job.tables for feature in table.feature_names}
    for i, batch in enumerate(batches):
        if not len(batch):
            raise ValueError(f"batches[{i}] has no rows")
        if batch.dense.shape[1] != job.num_dense:
            raise ValueError(f"batches[{i}] has {batch.dense.shape[1]} dense features; the job has "
                             f"num_dense={job.num_dense}")
        missing = sorted(features - set(batch.sparse.keys))
        if missing:
            raise ValueError(f"batches[{i}] lacks feature {missing[0]!r}; it has {', '.join(batch.sparse.keys)}")


def _whole(argument: str, value, least: int, why: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{argument}={value!r}; a whole number of at least {least} is needed{why}")
