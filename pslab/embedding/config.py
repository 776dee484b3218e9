"""What an embedding table is, and what comes out of a lookup.

    KeyedJaggedTensor ── tables ──> KeyedTensor
    ids of F features               values (B, D1 + D2 + …), one stretch of columns per feature
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

POOLINGS = ("sum", "mean", "none")


@dataclass(frozen=True)
class EmbeddingBagConfig:
    """One table of `num_embeddings` rows of `embedding_dim` numbers, looked up by `feature_names`.

    pooling joins the rows of a bag: "sum" or "mean"; an empty bag gives zeros either way. "none" leaves them as they
    are, for EmbeddingCollection. feature_names: by default the table's own name. Names as in TorchRec.
    """

    num_embeddings: int
    embedding_dim: int
    name: str
    feature_names: Sequence[str] = ()
    pooling: str = "sum"

    def __post_init__(self):
        for argument in ("num_embeddings", "embedding_dim"):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{argument}={value!r} of table {self.name!r}; a whole number of at least 1 is needed")
        if not isinstance(self.name, str) or not self.name or "." in self.name:
            raise ValueError(f"name={self.name!r}; a non-empty string without a dot is needed")
        if isinstance(self.feature_names, str):
            raise ValueError(f"feature_names={self.feature_names!r}; a list of names is needed")
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling={self.pooling!r} of table {self.name!r}; allowed: {', '.join(POOLINGS)}")
        object.__setattr__(self, "feature_names", tuple(self.feature_names) or (self.name,))


class KeyedTensor:
    """Pooled rows by feature: `keys` (F names), `length_per_key` (F), `values` (B, sum of length_per_key)."""

    def __init__(self, keys: Sequence[str], length_per_key: Sequence[int], values: torch.Tensor):
        self.keys, self.length_per_key, self.values = list(keys), list(length_per_key), values
        if values.dim() != 2 or values.shape[1] != sum(self.length_per_key) or len(keys) != len(length_per_key):
            raise ValueError(f"values of shape {list(values.shape)} do not hold length_per_key={self.length_per_key} "
                             f"of keys={self.keys}")

    def __getitem__(self, key: str) -> torch.Tensor:
        """(B, D) of one feature, a view."""
        if key not in self.keys:
            raise KeyError(f"no feature {key!r}; there are {', '.join(self.keys)}")
        place = self.keys.index(key)
        first = sum(self.length_per_key[:place])
        return self.values[:, first:first + self.length_per_key[place]]

    def to_dict(self) -> dict[str, torch.Tensor]:
        """{feature: (B, D)}."""
        return {key: self[key] for key in self.keys}

    def __repr__(self) -> str:
        return f"KeyedTensor(keys={self.keys}, values {list(self.values.shape)})"


def check_tables(tables: Sequence[EmbeddingBagConfig], pooled: bool = True) -> list[EmbeddingBagConfig]:
    """The tables as a list; ValueError when empty, or when a table's or feature's name stands there twice.

    pooled: whether the caller joins the rows of a bag; tables that say the contrary are refused.
    """
    tables = list(tables)
    if not tables:
        raise ValueError("tables=[]; at least one EmbeddingBagConfig is needed")
    for table in tables:
        if (table.pooling != "none") != pooled:
            raise ValueError(f"pooling={table.pooling!r} of table {table.name!r}; "
                             + ("'sum' or 'mean' is needed here, 'none' is for EmbeddingCollection" if pooled else
                                "'none' is needed here, pooled bags are for EmbeddingBagCollection"))
    for what, names in (("table name", [t.name for t in tables]),
                        ("feature", [f for t in tables for f in t.feature_names])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{what} {twice[0]!r} stands in tables more than once; each needs one table")
    return tables


def check_weighted(tables: Sequence[EmbeddingBagConfig], is_weighted: bool) -> bool:
    """is_weighted; ValueError when it goes with a mean, which torch and TorchRec have no weights for either."""
    means = [table.name for table in tables if table.pooling == "mean"]
    if is_weighted and means:
        raise ValueError(f"is_weighted=True with pooling='mean' of table {means[0]!r}; weights go with pooling='sum'")
    return bool(is_weighted)


def bags_of(features, feature: str, table: EmbeddingBagConfig, is_weighted: bool = False):
    """The bags of one feature, a JaggedTensor; ValueError when it is missing, or holds an id that `table` has not.

    is_weighted: ValueError without weights too. Otherwise weights are not looked at, as in TorchRec.
    """
    try:
        bags = features[feature]
    except KeyError:
        raise ValueError(f"feature {feature!r} of table {table.name!r} is missing from the input, which holds "
                         f"{', '.join(features.keys) or 'none'}") from None
    ids = bags.values.numpy()       # checked as an array: a tensor's small operations cost several times as much
    if ids.size:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= table.num_embeddings:
            raise ValueError(f"feature {feature!r} holds id {low if low < 0 else high}; table {table.name!r} has "
                             f"rows 0..{table.num_embeddings - 1}")
    if is_weighted and bags.weights is None:
        raise ValueError(f"is_weighted=True, but feature {feature!r} comes without weights")
    return bags
