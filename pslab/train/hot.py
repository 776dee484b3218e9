"""Hot rows replicated and all-reduced, the tail on servers: run, counted, and equal to all rows on servers.

    hot = H        worker                                   servers
    ids of a step  ├─ below H:  own replica, ring of (H, D)      │
                   └─ from H on: pull, push ────────────────────▶│ rows H … R−1
    hot = 0        everything on the servers: what the split is compared with

Rows are numbered by popularity, 0 the hottest. De-duplicated on both sides: each row a worker names travels once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pslab.collectives import all_reduce
from pslab.comm import Comm, SimWorld
from pslab.cost import split_bytes
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

KEY_BYTES = 8


@dataclass(frozen=True)
class HotRun:
    """All steps together: bytes over all links (values and keys), what the formula says, rows (R, D) at the end.

    tail_rows: distinct tail rows named, summed over workers and steps; lookups: with repetition, hot and tail."""

    hot: int
    counted_bytes: int
    predicted_bytes: int
    tail_rows: int
    lookups: int
    rows: np.ndarray


def run_hot(streams: Sequence[np.ndarray], *, rows: int, dim: int, hot: int, servers: int = 1) -> HotRun:
    """Train on the ids of K workers with the first `hot` rows replicated. Gradients are whole numbers.

    streams: for each worker (T, n) ids in 0..rows-1, n lookups in each of T steps.
    """
    streams = [np.asarray(stream, np.int64) for stream in streams]
    if not streams or any(stream.ndim != 2 or len(stream) != len(streams[0]) for stream in streams):
        raise ValueError("streams must hold an array (T, n) of ids for each worker, T steps of all alike")
    if isinstance(hot, bool) or not isinstance(hot, (int, np.integer)) or not 0 <= hot <= rows:
        raise ValueError(f"hot={hot!r}; a whole number from 0 to rows={rows} is needed")
    if any(stream.size and not 0 <= stream.min() <= stream.max() < rows for stream in streams):
        raise ValueError(f"streams holds ids outside 0..{rows - 1}")
    K, steps = len(streams), len(streams[0])
    world = SimWorld(K + servers, trace=False)
    run = world.run(_program, per_rank=[(streams[r] if r < K else None, K, rows, dim, int(hot))
                                        for r in range(K + servers)], timeout_s=120.0)
    tail = sum(result["tail_rows"] for result in run.results[:K])
    held = [result["rows"] for result in run.results[K:]]
    table = np.concatenate([run.results[0]["rows"], *held]) if hot < rows else run.results[0]["rows"]
    predicted = steps * split_bytes(K, hot, 0, 4 * dim, KEY_BYTES) + split_bytes(K, 0, tail, 4 * dim, KEY_BYTES)
    return HotRun(hot, run.ledger.total("vals") + run.ledger.total("keys"), predicted, tail,
                  sum(stream.size for stream in streams), table)


def _program(comm: Comm, stream: np.ndarray | None, K: int, rows: int, dim: int, hot: int) -> dict:
    tables = [TableConfig("tail", dim, max(rows - hot, 1), SGD(1.0))]
    group = comm.split(int(comm.rank >= K))
    if comm.rank >= K:
        server = KVServer(tables, comm.rank - K, comm.world_size - K, range(K))
        serve(comm, server)
        return {"rows": np.array(server.rows("tail"))}
    replica, tail_rows = np.zeros((hot, dim), np.float32), 0
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        for step, ids in enumerate(stream):
            ids, count = np.unique(ids, return_counts=True)
            cut = int(np.searchsorted(ids, hot))
            kv.wait(kv.pull(ids[cut:] - hot, "tail"))
            # a row's gradient: how often the worker named it, different by worker, step and place
            grads = count[:, None] * (np.arange(dim) % 3 + comm.rank + step % 2 + 1.0)
            kv.push(ids[cut:] - hot, grads[cut:].astype(np.float32), "tail")
            if hot:
                gradient = np.zeros((hot, dim), np.float32)
                gradient[ids[:cut]] = grads[:cut]
                all_reduce(group, gradient, algorithm="ring")
                replica -= gradient
            kv.clock()
            tail_rows += len(ids) - cut
    return {"rows": replica, "tail_rows": tail_rows}
