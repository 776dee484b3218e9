"""What both engines are given, and what they give back.

    EngineJob ─┬─ log or reader() ──> Loader: parts of the same global batches
               ├─ tables()            one a sparse feature, all of the configuration's D
               └─ model()             the DLRM with its first parameters, drawn from the seed

The conventions that make losses equal:

    loss        mean over the global batch. Ours sums gradients over the workers; TorchRec and DDP divide by K, so
                there a worker's loss counts K / B_global
    sgd         row -= lr · grad, the dense parameters as torch.optim.SGD
    adagrad     sum += grad² first, then lr · grad / (√sum + eps), eps outside of the root; tables row-wise, the mean of
                grad² over the row (FBGEMM's exact row-wise AdaGrad), dense parameters each by itself
    equal ids   their gradients are summed over all workers, then one step
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from functools import lru_cache

ENGINES = ("pslab", "torchrec")
OPTIMIZERS = ("sgd", "adagrad")
DATA = ("synthetic", "movielens-100k", "criteo")
EPS = 1e-8
LOG_COLUMNS, LOG_DENSE = 26, 13             # of the synthetic log: as many as Criteo's have


@dataclass(frozen=True)
class EngineJob:
    """config: a name of pslab.models.DLRM_CONFIGS, which gives D, both MLPs and the interaction ("" keeps its own).

    data          "synthetic" (26 columns, 13 dense, labels of a planted teacher), "movielens-100k" or "criteo"
    table_rows    R of every table of synthetic and Criteo data; MovieLens has its own
    batch_size    rows of a global batch, at least one a worker; an epoch's last rows that fill none are left out
    optimizer     "sgd" or "adagrad" with learning rate lr, of tables and dense parameters
    """

    config: str = "small"
    data: str = "synthetic"
    table_rows: int = 2_000
    batch_size: int = 512
    steps: int = 100
    lr: float = 0.1
    optimizer: str = "sgd"
    interaction: str = ""
    seed: int = 0

    def __post_init__(self):
        for name, allowed in (("data", DATA), ("optimizer", OPTIMIZERS), ("interaction", ("", "dot", "cat"))):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name}={value!r}; allowed: {', '.join(map(repr, allowed))}")
        for name, least in (("table_rows", 2), ("batch_size", 1), ("steps", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}; a whole number from {least} is needed")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr={self.lr!r}; a finite number above 0 is needed")
        self.sizes()

    def sizes(self):
        """The DLRMConfig, its interaction changed where this job says so."""
        from pslab.models import dlrm_config

        return dlrm_config(self.config, **({"interaction": self.interaction} if self.interaction else {}))

    def source(self):
        """A ClickLog or a CriteoReader: what a Loader takes."""
        from pslab.data import CriteoReader, criteo_folder, load

        if self.data == "criteo":
            return CriteoReader(criteo_folder(), table_rows=self.table_rows, on_bad_line="skip")
        if self.data == "movielens-100k":
            return load(self.data)
        return _synthetic(self.seed, max(4 * self.batch_size, 20_000), self.table_rows)

    def loader(self, source, rank: int, world_size: int):
        """The parts of one worker."""
        from pslab.data import Loader

        if self.batch_size < world_size:
            raise ValueError(f"batch_size={self.batch_size}; a row for each of {world_size} workers is needed")
        return Loader(source, self.batch_size, rank, world_size, seed=self.seed, at_end="drop")

    def tables(self, source) -> list:
        """One EmbeddingBagConfig a sparse feature."""
        from pslab.embedding import EmbeddingBagConfig

        dim = self.sizes().dim
        return [EmbeddingBagConfig(spec.num_embeddings, dim, spec.name, [spec.name], spec.pooling)
                for spec in source.features]

    def model(self, source, embeddings=None):
        """The DLRM, its first parameters drawn from the seed; embeddings as in DLRM."""
        from pslab.models import DLRM

        sizes, dense = self.sizes(), LOG_DENSE if self.data != "movielens-100k" else source.num_dense
        return DLRM(dense, self.tables(source), sizes.bottom, sizes.top, self.seed, embeddings, sizes.interaction)


@lru_cache(maxsize=1)
def _synthetic(seed: int, rows: int, table_rows: int):
    """Kept: ranks of a simulator, and jobs one after the other, ask for the same log."""
    from pslab.data import synthetic_click_log

    return synthetic_click_log(seed, rows, 100, [table_rows] * LOG_COLUMNS, LOG_DENSE)


@dataclass(frozen=True)
class EngineResult:
    """losses: the mean loss of each global batch, before its step. step_seconds: of the slowest worker.

    versions: of what computed. device: where.
    """

    engine: str
    world_size: int
    batch_size: int
    device: str
    losses: list[float]
    step_seconds: list[float]
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def samples_per_s(self) -> float:
        """Of the median step, the first fifth left out."""
        return self.batch_size / statistics.median(self.step_seconds[len(self.step_seconds) // 5:])

    @classmethod
    def of_workers(cls, engine: str, job: EngineJob, device: str, workers: list[dict],
                   versions: dict[str, str]) -> EngineResult:
        """From each worker's {"loss_sums", "sizes", "seconds"}, lists over the steps."""
        sizes = workers[0]["sizes"]
        sums = zip(*(worker["loss_sums"] for worker in workers))
        seconds = [max(each) for each in zip(*(worker["seconds"] for worker in workers))]
        return cls(engine, len(workers), job.batch_size, device,
                   [sum(parts) / size for parts, size in zip(sums, sizes)], seconds, versions)
