"""Our DLRM's parameters under TorchRec's names, and back: the same function, so the same logits.

    ours                                       torchrec.models.dlrm.DLRM
    bottom.0, bottom.2, …                      dense_arch.model._mlp.0._linear, .1._linear, …
    top.0, top.2, …                            over_arch.model.0._mlp.0._linear, …; the last one: over_arch.model.1
    embeddings.tables.T.weight                 sparse_arch.embedding_bag_collection.embedding_bags.T.weight

Both take the pairs of F + 1 vectors, each once and none with itself. We list them by rows of the lower triangle, as
the published code does, TorchRec by rows of the upper one; so the first layer of the top MLP has its columns in another
order:

    ours       (1,0) (2,0) (2,1) (3,0) …         TorchRec   (0,1) (0,2) (0,3) … (1,2) …

Nothing here imports TorchRec: a state is a dict of tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

_DENSE, _OVER = "dense_arch.model._mlp", "over_arch.model"
_BAGS = "sparse_arch.embedding_bag_collection.embedding_bags"


def torchrec_columns(num_features: int, dim: int) -> torch.Tensor:
    """(D + F (F + 1) / 2,) int64: which of our interaction's outputs stands at each place of TorchRec's."""
    n = num_features + 1
    row, col = torch.triu_indices(n, n, offset=1)                  # TorchRec's order: row < col
    ours = col * (col - 1) // 2 + row                              # its place in the lower triangle, by rows
    return torch.cat([torch.arange(dim), dim + ours])


def to_torchrec(state: Mapping[str, torch.Tensor], num_features: int, interaction: str = "dot"
                ) -> dict[str, torch.Tensor]:
    """The state_dict of a pslab DLRM (or the part of it that is there) as TorchRec names and orders it; copies."""
    out, last = {}, _last_layer(state)
    for name, value in state.items():
        value = value.detach().clone()
        if name.startswith("embeddings.tables."):
            out[f"{_BAGS}.{name.removeprefix('embeddings.tables.')}"] = value
            continue
        part, layer, kind = _split(name)
        if name == "top.0.weight" and interaction == "dot":
            value = value[:, _columns(value, num_features)]
        if part == "bottom":
            out[f"{_DENSE}.{layer // 2}._linear.{kind}"] = value
        elif layer == last:
            out[f"{_OVER}.1.{kind}"] = value
        else:
            out[f"{_OVER}.0._mlp.{layer // 2}._linear.{kind}"] = value
    return out


def from_torchrec(state: Mapping[str, torch.Tensor], num_features: int, interaction: str = "dot"
                  ) -> dict[str, torch.Tensor]:
    """The other way: a state for a pslab DLRM of the same sizes; copies. ValueError for a name not TorchRec's."""
    hidden = {int(name.split("._mlp.")[1].split(".")[0]) for name in state if name.startswith(f"{_OVER}.0._mlp.")}
    out = {}
    for name, value in state.items():
        value = value.detach().clone()
        kind = name.rpartition(".")[2]
        if name.startswith(f"{_BAGS}."):
            out[f"embeddings.tables.{name.removeprefix(_BAGS + '.')}"] = value
        elif found := re.fullmatch(rf"{re.escape(_DENSE)}\.(\d+)\._linear\.(weight|bias)", name):
            out[f"bottom.{2 * int(found[1])}.{kind}"] = value
        elif found := re.fullmatch(rf"{re.escape(_OVER)}\.0\._mlp\.(\d+)\._linear\.(weight|bias)", name):
            if name.endswith("_mlp.0._linear.weight") and interaction == "dot":
                value = value[:, torch.argsort(_columns(value, num_features))]
            out[f"top.{2 * int(found[1])}.{kind}"] = value
        elif re.fullmatch(rf"{re.escape(_OVER)}\.1\.(weight|bias)", name):
            out[f"top.{2 * len(hidden)}.{kind}"] = value
        else:
            raise ValueError(f"state holds {name!r}, which is no parameter of torchrec.models.dlrm.DLRM")
    return out


def _columns(weight: torch.Tensor, num_features: int) -> torch.Tensor:
    return torchrec_columns(num_features, weight.shape[1] - num_features * (num_features + 1) // 2)


def _split(name: str) -> tuple[str, int, str]:
    found = re.fullmatch(r"(bottom|top)\.(\d+)\.(weight|bias)", name)
    if not found:
        raise ValueError(f"state holds {name!r}, which is no parameter of a pslab DLRM over local bags")
    return found[1], int(found[2]), found[3]


def _last_layer(state: Mapping[str, torch.Tensor]) -> int:
    return max((_split(name)[1] for name in state if name.startswith("top.")), default=-1)
