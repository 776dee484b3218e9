"""The shards of one rank as plain tensors, and back: into the same plan, or into one of other ranks.

    "user.0.ids"            (n,) int64: which rows of the table
    "user.0.columns"        (2,) int64: lo, hi: which columns of them
    "user.0.rows"           (n, hi - lo) float32
    "user.0.state.<name>"   (n, width) float32, one for each name in the rule's state_names

0 numbers the shards that a rank has of a table. Of a replica (data_parallel) every rank has all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch


def parts_of(over) -> Iterator[tuple]:
    """(name, part, rows (n, d), state (slots, n, width)) of this rank's shards: views of its stores."""
    counts: dict[str, int] = {}
    for group in over.groups:
        store = over.stores[id(group)]
        for part in group.parts.get(over.comm.rank, ()):
            number = counts.get(part.table.name, 0)
            counts[part.table.name] = number + 1
            at = slice(part.first, part.first + part.shard.num_rows)
            yield f"{part.table.name}.{number}", part, store.rows[at], torch.from_numpy(store.state[:, at])


def export(over) -> dict[str, torch.Tensor]:
    """This rank's tensors, copies."""
    found = {}
    for name, part, rows, state in parts_of(over):
        found |= {f"{name}.ids": torch.from_numpy(part.ids()), f"{name}.columns": torch.tensor(part.shard.columns),
                  f"{name}.rows": rows.clone()}
        found |= {f"{name}.state.{slot}": of_slot.clone() for slot, of_slot in zip(over.rule.state_names, state)}
    return found


def load_export(over, files: Sequence[Mapping[str, torch.Tensor]]) -> None:
    """This rank's shards out of those of all ranks of the export; ValueError, and nothing has changed, where they do
    not cover them or are of another rule."""
    known = {table.name for table in over.tables}
    given: dict[str, list] = {}
    for file in files:
        for name in file:
            if name.endswith(".ids"):
                table = name.rsplit(".", 2)[0]
                if table not in known:
                    raise ValueError(f"the export has a table {table!r}; the model has {', '.join(sorted(known))}")
                given.setdefault(table, []).append((file, name[:-4]))
    found = [(rows, state, *_assembled(over, part, rows, state, given.get(part.table.name, ())))
             for _, part, rows, state in parts_of(over)]
    for rows, state, new_rows, new_state in found:
        rows.copy_(new_rows)
        state.copy_(new_state)


def merge_shards(tables, files: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """{table: all its rows (R, D)} of the exports of all ranks."""
    whole = {}
    for table in tables:
        rows = torch.full((table.num_embeddings, table.embedding_dim), torch.nan)
        for file in files:
            for name in file:
                if name.endswith(".ids") and name.rsplit(".", 2)[0] == table.name:
                    lo, hi = file[f"{name[:-4]}.columns"].tolist()
                    rows[file[name], lo:hi] = file[f"{name[:-4]}.rows"]
        whole[table.name] = rows
    return whole


def _assembled(over, part, rows: torch.Tensor, state: torch.Tensor, given) -> tuple[torch.Tensor, torch.Tensor]:
    table, slots, (lo, hi) = part.table, over.rule.state_names, part.shard.columns
    new_rows, new_state = torch.empty_like(rows), torch.empty_like(state)
    place = np.full(table.num_embeddings, -1, np.int64)
    place[part.ids()] = np.arange(len(rows))
    covered = torch.zeros(rows.shape, dtype=torch.bool)
    for file, name in given:
        ids, (first, last) = file[f"{name}.ids"], file[f"{name}.columns"].tolist()
        if len(ids) and (int(ids.max()) >= table.num_embeddings or last > table.embedding_dim):
            raise ValueError(f"table {table.name!r} of the export has rows up to {int(ids.max())} and {last} columns "
                             f"or more; the model's has {table.num_embeddings} x {table.embedding_dim}")
        names = sorted(key[len(name) + 7:] for key in file if key.startswith(f"{name}.state."))
        if names != sorted(slots):
            raise ValueError(f"table {table.name!r} of the export has the state {names}; the rule "
                             f"{type(over.rule).__name__} keeps {sorted(slots)}")
        a, b = max(lo, first), min(hi, last)
        where = torch.from_numpy(place[ids.numpy()])
        mine = where >= 0
        if a >= b or not bool(mine.any()):
            continue
        to, columns, origin = where[mine], slice(a - lo, b - lo), slice(a - first, b - first)
        new_rows[to, columns] = file[f"{name}.rows"][mine][:, origin]
        covered[to, columns] = True
        for slot, of_slot in zip(slots, new_state):
            of_file = file[f"{name}.state.{slot}"]
            if of_slot.shape[1] == hi - lo and of_file.shape[1] == last - first:
                of_slot[to, columns] = of_file[mine][:, origin]
            elif (first, last) == (lo, hi) and of_slot.shape[1] == of_file.shape[1]:
                of_slot[to] = of_file[mine]             # one number for all columns of the shard
            else:
                raise ValueError(f"table {table.name!r}: the state {slot!r} belongs to columns {first}..{last - 1} as "
                                 f"a whole; columns {lo}..{hi - 1} cannot take it over")
    if not bool(covered.all()):
        raise ValueError(f"table {table.name!r}: the export lacks {int((~covered).any(1).sum())} of the {len(rows)} "
                         f"rows (or some of their columns) that rank {over.comm.rank} owns; it has another shape")
    return new_rows, new_state
