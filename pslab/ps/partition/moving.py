"""Rows change servers: the plan of movement.py as a program that every server runs.

    server 0   rows 4..5, their state ──> server 1        every server keeps what stays, sends what leaves,
    server 1   rows 8..11, their state ─> server 2        and puts what arrives between what it kept

Between rounds, while no worker pushes. Tensors, not mail: nothing is lost, and a server knows whom to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .base import Partition, as_array
from .movement import movement_plan

if TYPE_CHECKING:
    from pslab.comm import Comm


def move_rows(comm: Comm, old: Partition, new: Partition, rows: np.ndarray, state: np.ndarray, keys=None, *,
              ranks: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One server's part; every server of old and of new calls it. Gives its (keys, rows, state) under `new`.

    rows (n, dim), state (slots, n, width): of this server's keys under `old`, ascending; a server that is new to the
    table gives n = 0, one that leaves it gets n = 0. keys: of a table of any 64-bit keys, those held here, (n,)
    distinct int64; of a dense table None, both ends know them. ranks[i]: rank in comm of server number i (default i).
    """
    ranks = range(max(*old.servers, *new.servers) + 1) if ranks is None else ranks
    if comm.rank not in ranks:
        raise ValueError(f"ranks={list(ranks)} has no server on rank {comm.rank}, which calls this")
    me, dense = list(ranks).index(comm.rank), keys is None
    if dense:
        keys = as_array(old.owned(me)) if me in old.servers else np.empty(0, np.int64)
    else:
        order = np.argsort(keys, kind="stable")
        keys, rows, state = keys[order], rows[order], state[:, order]
    if rows.shape[0] != len(keys) or state.shape[1] != len(keys):
        raise ValueError(f"server {me} has {len(keys)} keys, but rows of shape {rows.shape} and state {state.shape}")
    sent, arriving = (_send_planned if dense else _send_keyed)(comm, old, new, me, keys, rows, state, ranks)
    stays = np.flatnonzero(new.owner(keys) == me) if me in new.servers else np.empty(0, np.int64)
    parts = [(keys[stays], rows[stays], state[:, stays])]
    for source, known in arriving:
        came = known if dense else comm.recv(ranks[source]).numpy()
        if len(came):
            held = comm.recv(ranks[source]).numpy() if len(state) else np.empty((0, len(came), state.shape[2]))
            parts.append((came, comm.recv(ranks[source]).numpy(), held))
    for work in sent:
        work.wait()
    result = np.concatenate([part[0] for part in parts])
    order = np.argsort(result, kind="stable")
    if dense and not np.array_equal(result[order], as_array(new.owned(me)) if me in new.servers else result[:0]):
        raise ValueError(f"server {me} ended with {len(result)} rows that are not those it owns; old= or new= is not "
                         f"the same on every server")
    return (result[order], np.concatenate([part[1] for part in parts])[order],
            np.concatenate([part[2] for part in parts], axis=1)[:, order])


def _send_planned(comm, old, new, me, keys, rows, state, ranks):
    """Dense: the plan says who sends what, so rows and state alone travel."""
    plan, sent = movement_plan(old, new), []
    for move in plan.leaving(me):
        sent += _send(comm, ranks[move.target], np.searchsorted(keys, as_array(move.keys)), rows, state)
    return sent, [(move.source, as_array(move.keys)) for move in plan.arriving(me)]


def _send_keyed(comm, old, new, me, keys, rows, state, ranks):
    """Any keys: only their holder knows them, so a list of them, which may be empty, goes before the rows."""
    sent, targets = [], dict(new.split(keys)) if me in old.servers else {}
    for target in new.servers:
        if target != me and me in old.servers:
            at = np.arange(len(keys))[targets.get(target, slice(0))]
            sent.append(comm.isend(keys[at], ranks[target]))
            if len(at):
                sent += _send(comm, ranks[target], at, rows, state)
    return sent, [(source, None) for source in old.servers if source != me and me in new.servers]


def _send(comm: Comm, rank: int, at: np.ndarray, rows: np.ndarray, state: np.ndarray) -> list:
    parts = [state.take(at, axis=1)] if len(state) else []
    return [comm.isend(tensor, rank) for tensor in (*parts, rows.take(at, axis=0))]
