"""DLRM: a recommender with a dense tower, embedding bags and their pairwise products (Naumov et al. 2019).

    dense (B, num_dense) ──> bottom MLP ──> (B, D) ───────────┬──────────────┐
                                                              v              v
    ids of F features ──> embedding bags ──> (B, F, D) ──> interaction ──> top MLP ──> logits (B,)
                          exchangeable: local or sharded      │
                          "dot"  all pairs' dot products      F (F + 1) / 2 + D
                          "cat"  all vectors side by side     (F + 1) D

The embedding bags hold nearly all parameters and touch few of them a step; the two MLPs are small and dense. That is
why the two parts are trained by different means: rows on servers, dense parameters by all-reduce.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pslab.embedding import EmbeddingBagCollection, EmbeddingBagConfig


class DLRM(nn.Module):
    """Logits (B,) of dense features (B, num_dense) and a KeyedJaggedTensor of ids.

    tables: configurations of the embedding tables, all of one embedding_dim D; F features in all.
    bottom: layer sizes of the dense tower; the last must be D. top: layer sizes after the interaction; the last must
    be 1. ReLU after every layer but the last of `top`. seed draws the dense weights (as nn.Linear draws them, from a
    generator of its own) and, where `embeddings` is None, the rows of a local EmbeddingBagCollection.
    embeddings: any module (KeyedJaggedTensor -> KeyedTensor) over `tables`, for instance a sharded collection.
    interaction: "dot" or "cat" (see dot_interaction, cat_interaction), between the dense vector and the bags.
    ValueError when sizes do not fit.

    Example, B = 2 samples, one feature of one and two ids:

        model = DLRM(3, [EmbeddingBagConfig(10, 4, "movies", ["movie"])], bottom=(8, 4), top=(8, 1))
        logits = model(torch.randn(2, 3), KeyedJaggedTensor(["movie"], values=[7, 1, 2], lengths=[1, 2]))
    """

    def __init__(self, num_dense: int, tables: Sequence[EmbeddingBagConfig], bottom: Sequence[int] = (64, 16),
                 top: Sequence[int] = (64, 32, 1), seed: int = 0, embeddings: nn.Module | None = None,
                 interaction: str = "dot"):
        super().__init__()
        tables = list(tables)
        if interaction not in INTERACTIONS:
            raise ValueError(f"interaction={interaction!r}; allowed: {', '.join(map(repr, INTERACTIONS))}")
        _check(num_dense, tables, bottom, top)
        self.num_dense = num_dense
        self.embedding_dim = tables[0].embedding_dim
        self.num_features = sum(len(table.feature_names) for table in tables)
        generator = torch.Generator().manual_seed(seed)
        self.bottom = _mlp(num_dense, bottom, generator, last_relu=True)
        self.interaction = interaction
        self.top = _mlp(interaction_width(interaction, self.num_features, self.embedding_dim), top, generator,
                        last_relu=False)
        self.embeddings = EmbeddingBagCollection(tables, seed=seed) if embeddings is None else embeddings

    def forward(self, dense: torch.Tensor, sparse) -> torch.Tensor:
        if dense.dim() != 2 or dense.shape[1] != self.num_dense:
            raise ValueError(f"dense has shape {list(dense.shape)}; (B, {self.num_dense}) is needed")
        bags = self.embeddings(sparse).values
        if len(bags) != len(dense):
            raise ValueError(f"dense holds {len(dense)} samples and sparse {len(bags)}; they must be equal")
        bags = bags.view(len(dense), self.num_features, self.embedding_dim)
        return self.top(INTERACTIONS[self.interaction](self.bottom(dense), bags)).squeeze(1)

    def dense_parameters(self) -> list[nn.Parameter]:
        """The parameters of both MLPs, in a fixed order: what a hybrid trainer sends through the ring."""
        return [*self.bottom.parameters(), *self.top.parameters()]


def dot_interaction(dense: torch.Tensor, bags: torch.Tensor) -> torch.Tensor:
    """dense (B, D) and bags (B, F, D) -> (B, D + F (F + 1) / 2).

    Behind the dense vector stand the dot products of all pairs of the F + 1 vectors (dense first): the strictly lower
    triangle of their Gram matrix, row by row.
    """
    vectors = torch.cat([dense.unsqueeze(1), bags], dim=1)
    gram = torch.bmm(vectors, vectors.transpose(1, 2))
    n = vectors.shape[1]
    row, col = torch.tril_indices(n, n, offset=-1, device=dense.device)
    # One flat index_select: its backward is one scatter, half the time of indexing with two index tensors.
    pairs = gram.flatten(1).index_select(1, row * n + col)
    return torch.cat([dense, pairs], dim=1)


def cat_interaction(dense: torch.Tensor, bags: torch.Tensor) -> torch.Tensor:
    """dense (B, D) and bags (B, F, D) -> (B, (F + 1) D): the dense vector, and behind it the bags in their order."""
    return torch.cat([dense, bags.flatten(1)], dim=1)


INTERACTIONS = {"dot": dot_interaction, "cat": cat_interaction}


def interaction_width(interaction: str, num_features: int, dim: int) -> int:
    """Numbers a row that the interaction hands to the top MLP: D + F (F + 1) / 2, or (F + 1) D."""
    if interaction == "cat":
        return (num_features + 1) * dim
    return dim + num_features * (num_features + 1) // 2


def _mlp(width: int, sizes: Sequence[int], generator: torch.Generator, last_relu: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, size in enumerate(sizes):
        linear = nn.utils.skip_init(nn.Linear, width, size)
        bound = width ** -0.5                      # the default of nn.Linear, for weight and bias alike
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        layers.append(linear)
        if last_relu or i + 1 < len(sizes):
            layers.append(nn.ReLU())
        width = size
    return nn.Sequential(*layers)


def _check(num_dense: int, tables: list, bottom: Sequence[int], top: Sequence[int]) -> None:
    if num_dense < 1:
        raise ValueError(f"num_dense={num_dense}; at least 1 dense feature is needed")
    if not tables:
        raise ValueError("tables=[]; at least one EmbeddingBagConfig is needed")
    dims = {table.embedding_dim for table in tables}
    if len(dims) > 1:
        raise ValueError(f"tables have embedding_dim {sorted(dims)}; dot products need one dimension for all")
    for name, sizes in (("bottom", bottom), ("top", top)):
        if not len(sizes) or min(sizes) < 1:
            raise ValueError(f"{name}={tuple(sizes)}; one or more layer sizes of at least 1 are needed")
    dim = tables[0].embedding_dim
    if bottom[-1] != dim:
        raise ValueError(f"bottom={tuple(bottom)} ends in {bottom[-1]}, tables have embedding_dim={dim}; "
                         f"they are multiplied with each other and must be equal")
    if top[-1] != 1:
        raise ValueError(f"top={tuple(top)} ends in {top[-1]}; a logit has size 1")
