"""A table as plain tensors, out of servers and into others: fit for safetensors, and for any number of servers.

    "user.keys"         (n,) int64, ascending
    "user.rows"         (n, dim) in the table's dtype
    "user.state.<name>" (n, width) float32, one for each name in the rule's state_names
    "user.t"            () int64: the t of the last step, from which the rule's t goes on

    server 0 ── state_dict ──┐                      ┌── load_state_dict ──> server 0 of S' takes the keys it owns
    server 1 ── state_dict ──┴─ merge_state_dicts ──┴── load_state_dict ──> server 1 ...

Pushes of a round that is still open are not in it. A job that goes on from an import begins at clock 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .dtypes import as_tensor, bits_of, values_of
from .shard import Shard

_TORCH = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def merge_state_dicts(parts: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The exports of several servers as one, keys ascending. ValueError when they name other tensors or a key twice."""
    if not parts:
        raise ValueError("parts is empty; at least one server's state_dict is needed")
    for part in parts[1:]:
        if part.keys() != parts[0].keys():
            raise ValueError(f"the exports differ in their tensors: {sorted(part.keys() ^ parts[0].keys())}; they are "
                             f"of other tables or rules")
    whole = {}
    for table in [name[:-5] for name in parts[0] if name.endswith(".keys")]:
        keys, order = torch.cat([part[f"{table}.keys"] for part in parts]).sort()
        if (keys[1:] == keys[:-1]).any():
            raise ValueError(f"table {table!r}: key {int(keys[1:][keys[1:] == keys[:-1]][0])} is in two exports")
        for name in [name for name in parts[0] if name.startswith(f"{table}.")]:
            pieces = [part[name] for part in parts]
            whole[name] = torch.stack(pieces).max() if name == f"{table}.t" else torch.cat(pieces)[order]
    return whole


def of_shard(shard: Shard) -> dict[str, torch.Tensor]:
    """A shard's tensors; copies."""
    name, at, rule = shard.config.name, shard.places(), shard.config.rule
    state = shard.state
    return {f"{name}.keys": torch.from_numpy(shard.keys()),
            f"{name}.rows": as_tensor(np.array(shard.rows[at]), shard.config.dtype),
            **{f"{name}.state.{slot}": torch.from_numpy(np.array(state[i][at]))
               for i, slot in enumerate(rule.state_names)},
            f"{name}.t": torch.tensor(shard.t)}


def check_tables_of(tensors: dict[str, torch.Tensor], tables: list[str]) -> None:
    """ValueError when a server lacks a table of the export: what it holds would be lost."""
    unknown = sorted({name[:-5] for name in tensors if name.endswith(".keys")} - set(tables))
    if unknown:
        raise ValueError(f"the export has a table {unknown[0]!r}; this server has {tables}")


def into_shard(shard: Shard, tensors: dict[str, torch.Tensor]) -> None:
    """The export's rows of this table that the shard owns become its rows; the others stay as they are."""
    name, config = shard.config.name, shard.config
    if f"{name}.keys" not in tensors:
        return
    slots = config.rule.state_names
    width = config.rule.new_state(0, config.dim).shape[2]
    n = len(tensors[f"{name}.keys"])
    needed = {f"{name}.keys": (torch.int64, (n,)), f"{name}.rows": (_TORCH[config.dtype], (n, config.dim)),
              f"{name}.t": (torch.int64, ()),
              **{f"{name}.state.{slot}": (torch.float32, (n, width)) for slot in slots}}
    extra = sorted(key for key in tensors if key.startswith(f"{name}.") and key not in needed)
    if extra:
        raise ValueError(f"{extra[0]!r} is in the export; the rule {type(config.rule).__name__} keeps "
                         f"{', '.join(slots) or 'no state'}")
    for key, (dtype, shape) in needed.items():
        got = tensors.get(key)
        if got is None or got.dtype != dtype or tuple(got.shape) != shape:
            seen = "missing" if got is None else f"{got.dtype}{list(got.shape)}"
            raise ValueError(f"{key!r} is {seen}; {dtype}{list(shape)} is needed")
    keys = tensors[f"{name}.keys"].numpy()
    if config.num_rows is not None and n and (keys.min() < 0 or keys.max() >= config.num_rows):
        raise ValueError(f"{name}.keys holds keys outside of 0..{config.num_rows - 1}")
    if len(np.unique(keys)) < n:
        raise ValueError(f"{name}.keys holds a key twice")
    mine = np.flatnonzero(shard.partition.owner(keys) == shard.index)
    if mine.size:
        where = shard.where(keys[mine])
        rows = values_of(bits_of(tensors[f"{name}.rows"])[mine], config.dtype)
        state = np.empty((len(slots), len(mine), width), np.float32)
        for i, slot in enumerate(slots):
            state[i] = tensors[f"{name}.state.{slot}"].numpy()[mine]
        shard.assign(where, rows, state)
    shard.t = shard.t_before = int(tensors[f"{name}.t"])
