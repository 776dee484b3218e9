"""The common configurations of DLRM on Criteo's columns: 13 dense features, 26 tables, sizes by name.

    name        D     bottom MLP               top MLP                        where it is from
    small       16    13-64-16                 64-32-1                        here, for a laptop
    kaggle      16    13-512-256-64-16         512-256-1                      dlrm_s_criteo_kaggle.sh
    terabyte    64    13-512-256-64            512-512-256-1                  dlrm_s_criteo_terabyte.sh
    mlperf      128   13-512-256-128           1024-1024-512-256-1            MLPerf training, recommendation

The scripts are those of facebookresearch/dlrm, beside the paper of Naumov et al. (2019). How many rows a table has is
the data's matter: Kaggle's files have 33.8 million distinct values in their 26 columns, the terabyte's 882 million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from pslab.embedding import EmbeddingBagConfig

from .dlrm import DLRM, interaction_width


@dataclass(frozen=True)
class DLRMConfig:
    """Sizes of a DLRM. rows: of each table, one number for all of them or one a table; features c1 … cN, one a table.

    bottom ends in dim, top in 1 (DLRM refuses others). interaction: "dot" or "cat".
    """

    dim: int = 16
    bottom: tuple[int, ...] = (64, 16)
    top: tuple[int, ...] = (64, 32, 1)
    rows: int | tuple[int, ...] = 2_000
    num_dense: int = 13
    num_tables: int = 26
    interaction: str = "dot"

    def tables(self) -> list[EmbeddingBagConfig]:
        """One table of R x D a categorical column, summed: one id a bag, the sum is its row."""
        rows = [self.rows] * self.num_tables if isinstance(self.rows, int) else list(self.rows)
        if len(rows) != self.num_tables:
            raise ValueError(f"rows={self.rows!r}; one number for all tables, or one for each of {self.num_tables}")
        return [EmbeddingBagConfig(size, self.dim, f"c{i}", [f"c{i}"]) for i, size in enumerate(rows, start=1)]

    def model(self, seed: int = 0, embeddings: nn.Module | None = None) -> DLRM:
        """The model; `embeddings` as in DLRM."""
        return DLRM(self.num_dense, self.tables(), self.bottom, self.top, seed, embeddings, self.interaction)

    @property
    def dense_parameters(self) -> int:
        """P: weights and biases of both MLPs."""
        wide = interaction_width(self.interaction, self.num_tables, self.dim)
        return _mlp_size(self.num_dense, self.bottom) + _mlp_size(wide, self.top)


DLRM_CONFIGS = {
    "small": DLRMConfig(),
    "kaggle": DLRMConfig(16, (512, 256, 64, 16), (512, 256, 1)),
    "terabyte": DLRMConfig(64, (512, 256, 64), (512, 512, 256, 1)),
    "mlperf": DLRMConfig(128, (512, 256, 128), (1024, 1024, 512, 256, 1)),
}


def dlrm_config(name: str, **changes) -> DLRMConfig:
    """A configuration by name, fields changed: dlrm_config("kaggle", rows=10_000, interaction="cat")."""
    if name not in DLRM_CONFIGS:
        raise ValueError(f"configuration {name!r} is not known; there are {', '.join(DLRM_CONFIGS)}")
    return replace(DLRM_CONFIGS[name], **changes)


def _mlp_size(width: int, sizes: Sequence[int]) -> int:
    total = 0
    for size in sizes:
        total, width = total + (width + 1) * size, size
    return total
