"""A job goes on with more servers, or fewer: rows, rule state and step counts move, nothing else is touched.

    2 servers ── serve ──> state_dict ──┐ regroup ┌──> load_state_dict ── serve ──> 3 servers
    the third                {}  ───────┘         └──> what is its own now

Only rows whose server changes travel (partition/moving.py). Between the two parts of the job no worker is about: the
servers have said goodbye to all, and take new ones afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pslab.comm import Comm

from .dtypes import DTYPES, as_tensor, bits_of
from .partition import move_rows
from .tables import TableConfig, check_tables


def regroup(comm: Comm, export: dict[str, torch.Tensor], tables: Sequence[TableConfig], old_servers: int,
            new_servers: int, *, ranks: Sequence[int] | None = None) -> dict[str, torch.Tensor]:
    """One server's part; servers 0..max(old, new) - 1 all call it. Gives what its new KVServer loads.

    export: its KVServer.state_dict() of all tables; {} on a server that is new. ranks[i]: the rank in comm of server i
    (default i). On a server that leaves, the result has no rows. Payload: moved rows with their state, of a table
    without num_rows also their keys, and 8 bytes a table from and to each server but the first, for t.
    """
    tables = check_tables(tables)
    ranks = range(max(old_servers, new_servers)) if ranks is None else list(ranks)
    if comm.rank not in ranks:
        raise ValueError(f"ranks={list(ranks)} has no server on rank {comm.rank}, which calls this")
    missing = [table.name for table in tables if f"{table.name}.keys" not in export]
    if missing and ranks.index(comm.rank) < old_servers:
        raise ValueError(f"export has no table {missing[0]!r}; the state_dict() of all tables of this server is needed")
    moved = {}
    steps = _largest(comm, np.array([int(export.get(f"{table.name}.t", 0)) for table in tables], np.int64), ranks)
    for table, t in zip(tables, steps.tolist()):
        old, new = (table.partition.bind(table.num_rows, count) for count in (old_servers, new_servers))
        held = _of_table(export, table)
        if table.num_rows is not None:
            held = (None, *held[1:])                    # both ends know the keys
        keys, rows, state = move_rows(comm, old, new, held[1], held[2], held[0], ranks=ranks)
        moved[f"{table.name}.keys"] = torch.from_numpy(keys)
        moved[f"{table.name}.rows"] = as_tensor(rows, table.dtype)
        moved |= {f"{table.name}.state.{slot}": torch.from_numpy(state[i])
                  for i, slot in enumerate(table.rule.state_names)}
        moved[f"{table.name}.t"] = torch.tensor(t)
    return moved


def _of_table(export: dict, table: TableConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(keys, rows as they are kept, state) of an export; empty ones where it has none."""
    name, state = table.name, table.rule.new_state(0, table.dim)
    if f"{name}.keys" not in export:
        return np.empty(0, np.int64), np.empty((0, table.dim), DTYPES[table.dtype]), state
    keys = export[f"{name}.keys"].numpy()
    if table.rule.slots:
        state = np.stack([export[f"{name}.state.{slot}"].numpy() for slot in table.rule.state_names])
    else:
        state = np.empty((0, len(keys), state.shape[2]), np.float32)
    return keys, bits_of(export[f"{name}.rows"]), state


def _largest(comm: Comm, steps: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """The largest of everyone's numbers: a server that had nothing to do in the last round counts on as the others."""
    first, others = ranks[0], ranks[1:]
    if comm.rank != first:
        comm.send(steps, first)
        return comm.recv(first).numpy()
    for other in others:
        steps = np.maximum(steps, comm.recv(other).numpy())
    for work in [comm.isend(steps, other) for other in others]:
        work.wait()
    return steps
