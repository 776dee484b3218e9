"""The programs around the answers of 1.2: copied into the student's process, so no reference stands here.

    model_of   a PyTorch module from a description, with weights that are drawn; the same layers from the same text
    taken      as_key_values(model), and the model's tensors beside it
    filled     a fresh model with other weights, from_key_values(model, pull), and its tensors afterwards
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def model_of(layers: list, seed: int) -> nn.Module:
    """layers: ('linear', n, m, bias), ('embedding', n, m), ('scalar',), ('turned', n, m), ('frozen', n), ('tied', i).

    'turned': a matrix whose rows do not lie behind each other in memory. 'tied': a layer that shares the weight of
    layer i. Weights are any float32 bits but NaN, infinities, subnormal numbers and -0.0 among them.
    """
    made: list[nn.Module] = []
    for kind, *how in layers:
        holder = nn.Module()
        if kind == "linear":
            holder = nn.Linear(how[0], how[1], bias=how[2])
        elif kind == "embedding":
            holder = nn.Embedding(*how)
        elif kind == "scalar":
            holder.scale = nn.Parameter(torch.zeros(()))
        elif kind == "turned":
            holder.matrix = nn.Parameter(torch.zeros(how[1], how[0]).t())
        elif kind == "frozen":
            holder.fixed = nn.Parameter(torch.zeros(how[0]), requires_grad=False)
        else:
            holder.weight = made[how[0]].weight
        made.append(holder)
    model = nn.ModuleList(made)
    _draw(model, seed)
    return model


def _draw(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    odd = torch.tensor([-0.0, float("inf"), 1e-42, -1e-42, 3.4e38])
    with torch.no_grad():
        for tensor in model.parameters():
            bits = torch.randn(tensor.numel(), generator=generator) * 10.0 ** torch.randint(
                -20, 20, (tensor.numel(),), generator=generator)
            strange = torch.rand(tensor.numel(), generator=generator) < 0.2
            bits[strange] = odd[torch.randint(0, len(odd), (int(strange.sum()),), generator=generator)]
            tensor.copy_(bits.reshape(tensor.shape))


def tensors_of(model: nn.Module) -> dict:
    """{name: bits (n,) int32}, each tensor once, its numbers row by row."""
    return {name: p.detach().reshape(-1).clone().view(torch.int32) for name, p in model.named_parameters()}


def taken(as_key_values, comm, layers: list, seed: int) -> dict:
    """pairs: [(first key, values)] in the order returned, or 'odd': what came back instead. tensors: the model's."""
    model = model_of(layers, seed)
    before = tensors_of(model)
    given = as_key_values(model)
    spoiled = [name for name, bits in tensors_of(model).items() if not torch.equal(bits, before[name])]
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.zero_()                              # what was given must be a copy: a server keeps it
    if not isinstance(given, dict):
        return {"odd": repr(given)[:80], "tensors": before}
    pairs = []
    for first, values in given.items():
        if isinstance(values, np.ndarray) and values.dtype == np.float32:
            values = torch.from_numpy(values)
        if not isinstance(first, (int, np.integer)) or isinstance(first, bool) or not isinstance(values, torch.Tensor):
            return {"odd": f"{first!r}: {type(values).__name__}"[:80], "tensors": before}
        first = int(first)
        if not -(2**63) <= first < 2**64:                # of either kind, with a sign or without
            return {"odd": f"the key {first}, which has more than 64 bits", "tensors": before}
        if values.dtype != torch.float32 or values.ndim != 1:
            return {"odd": f"values of shape {tuple(values.shape)}, {values.dtype}, under key {first}",
                    "tensors": before, "bytes": str(values.dtype) == "torch.uint8"}
        pairs.append((first, values.detach().clone().view(torch.int32)))
    return {"pairs": pairs, "tensors": before, "spoiled": spoiled}


def filled(from_key_values, comm, layers: list, seed: int, stored: list) -> dict:
    """tensors after the fill, pulls [(begin, end)], 'missing': the first pull of a key that is not stored."""
    model = model_of(layers, seed)
    pulls: list[tuple[int, int]] = []
    missing: list[str] = []

    def pull(begin: int, end: int):
        pulls.append((int(begin), int(end)))
        for first, bits in stored:
            if first <= begin and end <= first + len(bits) and begin <= end:
                return bits[begin - first:end - first].clone().view(torch.float32)
        missing.append(f"pull({begin}, {end})")
        raise KeyError(f"pull({begin}, {end}): no range that was stored holds all of these keys")

    owners = {name: id(p) for name, p in model.named_parameters()}
    try:
        from_key_values(model, pull)
    except KeyError:
        if not missing:
            raise
    changed = [name for name, p in model.named_parameters() if owners.get(name) != id(p)]
    return {"tensors": tensors_of(model), "pulls": pulls, "missing": missing, "replaced": changed,
            "ties": _ties(model)}


def _ties(model: nn.Module) -> int:
    """How many names share a tensor with an earlier one."""
    every = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    return len(every) - len(set(every))
