"""The programs around the answers of 7.2, 7.3, 7.5 and 7.7: copied into the student's process, so no reference stands
here.

    accessed     a cache, id after id                      batched     a cache, batch after batch
    rounded      numbers rounded many times                looked_up   K ranks with a shard each, some batches
    trained      K workers in rounds, each with a cache of a server's rows; all counted at the server
"""

from __future__ import annotations

import numpy as np

FLOATS = np.float32


def plain(value):
    """A truth value, a whole number or a list of them; anything else as text."""
    name = type(value).__name__
    if name in ("bool", "bool_"):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    try:
        return [int(part) for part in value]
    except (TypeError, ValueError):
        return f"{name} {value!r}"[:120]


def accessed(LRU, comm, jobs: list, orders: bool) -> list:
    """jobs: [(capacity, ids)]. For each {"hits": what access returned, "orders": order() after each, or at the end}."""
    made = []
    for capacity, ids in jobs:
        cache, hits, seen = LRU(capacity), [], []
        for number in ids.tolist():
            hits.append(plain(cache.access(number)))
            if orders:
                seen.append(plain(cache.order()))
        made.append({"hits": hits, "orders": seen})
    return made


def batched(LRU, comm, jobs: list) -> list:
    """jobs: [(capacity, [ids of a batch])]. For each batch (loaded, evicted, order() afterwards) or "refused"."""
    made = []
    for capacity, batches in jobs:
        cache, seen = LRU(capacity), []
        for ids in batches:
            try:
                given = cache.batch(list(ids))
            except ValueError:
                seen.append(["refused", [], plain(cache.order())])
                continue
            if isinstance(given, (tuple, list)) and len(given) == 2:
                seen.append([plain(given[0]), plain(given[1]), plain(cache.order())])
            else:
                seen.append([f"{type(given).__name__} {given!r}"[:120], [], plain(cache.order())])
        made.append(seen)
    return made


def rounded(stochastic_round, comm, jobs: list) -> list:
    """jobs: [(value, how often, seed)] -> what came back for each, as an array, or its kind as text."""
    made = []
    for value, times, seed in jobs:
        given = np.full(times, value)
        codes = stochastic_round(given, np.random.default_rng(seed))
        codes = codes.numpy() if hasattr(codes, "detach") else codes
        made.append(codes if isinstance(codes, np.ndarray) else f"{type(codes).__name__} {codes!r}"[:120])
    return made


def looked_up(ShardedLookup, comm, table, batches: list, grads: list) -> dict:
    """This rank's rows, its ids batch by batch, and a gradient for each batch, or [] to look up only."""
    mine = ShardedLookup(comm, table.copy())
    rows, sums = [], []
    for place, ids in enumerate(batches):
        rows.append(array(mine.forward(ids.copy())))
        if grads:
            sums.append(array(mine.backward(grads[place].copy())))
    return {"rows": rows, "sums": sums}


def array(value):
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    return value.copy() if isinstance(value, np.ndarray) else f"{type(value).__name__} {value!r}"[:120]


class Server:
    """What an answer of 7.7 sees: rows with versions, of one round; pushes are applied when the round ends."""

    def __init__(self, store: dict, worker: int):
        self._store, self._worker = store, worker

    def fetch(self, ids, versions):
        """(places (c,), rows (c, D), versions (c,)): the ids, by their place in the request, whose version is not the
        one named. -1 is no row's version."""
        ids, versions = np.asarray(ids, np.int64), np.asarray(versions, np.int64)
        if ids.ndim != 1 or ids.shape != versions.shape:
            raise ValueError(f"ids of shape {ids.shape} and versions of shape {versions.shape}; (n,) each is needed")
        now = self._store["versions"][ids]
        places = np.flatnonzero(now != versions)
        self._store["named"][self._worker].extend(zip(ids.tolist(), versions.tolist()))
        self._store["sent"][self._worker].extend(ids[places].tolist())
        return places, self._store["rows"][ids[places]].copy(), now[places].copy()

    def push(self, ids, grads):
        """Gradients (n, D) of distinct ids: applied when the round ends, each push of a row is one version more."""
        ids = np.asarray(ids, np.int64)
        if len(set(ids.tolist())) != len(ids):
            raise ValueError("an id is pushed twice at once; add its gradients up first")
        self._store["pushed"].append((self._worker, ids.copy(), np.array(grads, FLOATS)))

    def apply(self, rows, grads):
        """The rule by which the server changes rows: rows - 0.5 grads, new arrays."""
        return (np.asarray(rows, FLOATS) - FLOATS(0.5) * np.asarray(grads, FLOATS)).astype(FLOATS)


def trained(ExactCache, comm, rows, batches: list) -> dict:
    """batches[t][k]: ids of worker k in round t, as its read names them; it pushes each of them once.

    seen: what reads gave, worker by worker in each round. sent, named [t][k]: ids whose rows travelled; (id, version)
    of requests. rows: the server's at the end.
    """
    K = len(batches[0])
    store = {"rows": rows.copy(), "versions": np.zeros(len(rows), np.int64)}
    servers = [Server(store, k) for k in range(K)]
    caches = [ExactCache(server) for server in servers]
    told = {"seen": [], "sent": [], "named": []}
    for t, ids_of in enumerate(batches):
        store.update(pushed=[], sent=[[] for _ in range(K)], named=[[] for _ in range(K)])
        for cache, ids in zip(caches, ids_of):
            given = cache.read(ids.copy())
            told["seen"].append(array(given))
            if isinstance(given, np.ndarray) and given.flags.writeable:
                given.fill(-1)                                   # the caller's own, to do with as it likes
        for k, (cache, ids) in enumerate(zip(caches, ids_of)):
            unique = np.unique(ids)
            cache.push(unique.copy(), gradient(unique, rows.shape[1], t, k))
        _end_round(store, servers[0])
        told["sent"].append(store["sent"])
        told["named"].append(store["named"])
    return {**told, "rows": store["rows"]}


def _end_round(store: dict, server: Server) -> None:
    """All pushes of a round added up in the order of the workers, then applied at once."""
    total, touched = np.zeros_like(store["rows"]), np.zeros(len(store["rows"]), bool)
    for _, ids, grads in sorted(store["pushed"], key=lambda push: push[0]):
        total[ids] += grads
        touched[ids] = True
        store["versions"][ids] += 1
    store["rows"][touched] = server.apply(store["rows"][touched], total[touched])


def gradient(ids, D: int, t: int, k: int):
    """(n, D): numbers that are exact neither in sums nor in halves, so that a wrong order of operations shows."""
    return (((ids[:, None] * 7 + np.arange(D) * 3 + 11 * t + 5 * k) % 19 - 9) / 7.0).astype(FLOATS)
