"""The three contenders for one sparse step, as programs for any world; 9.1 and 9.5 count what they move.

    dense ring           every worker all-reduces an array of the table's size      (V, D), nearly all zeros
    sparse all-gather    every worker sends its ids and its rows to everyone        n ids, (n, D) rows
    server               workers pull the rows they name and push a gradient each   n ids twice, (n, D) rows twice

Worker k touches n unique rows of a table of V rows of D float32 numbers; ids are int64, 8 bytes.
"""

from __future__ import annotations

import numpy as np

from pslab import collectives
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

CONTENDERS = ("dense ring", "server", "sparse all-gather")
KEY_BYTES = 8
ITEM_BYTES = 4


def ids_of(rank: int, V: int, n: int) -> np.ndarray:
    """n distinct ids of worker `rank`, in order; never a run without gaps, which a server could name without keys."""
    if not 0 < n < V:
        raise ValueError(f"n={n}; from 1 to V-1={V - 1} rows are needed")
    ids = np.sort(np.random.default_rng(700 + rank).permutation(V)[:n])
    if n > 1 and ids[-1] - ids[0] == n - 1:
        ids[-1 if ids[-1] < V - 1 else 0] += 1 if ids[-1] < V - 1 else -1
    return ids


def grads_of(rank: int, n: int, D: int) -> np.ndarray:
    """(n, D) whole numbers, different for every worker and place."""
    return (np.arange(n * D).reshape(n, D) % 50 * 4 + rank).astype(np.float32)


def dense_ring(comm, V: int, D: int, n: int):
    """K ranks. Everything travels, zeros too."""
    everything = np.zeros((V, D), np.float32)
    everything[ids_of(comm.rank, V, n)] = grads_of(comm.rank, n, D)
    collectives.all_reduce(comm, everything)
    return float(everything.sum())


def sparse_all_gather(comm, V: int, D: int, n: int):
    """K ranks. Touched rows and their ids travel, to everyone."""
    mine = (ids_of(comm.rank, V, n), grads_of(comm.rank, n, D))
    _, grads = (collectives.all_gather(comm, part) for part in mine)
    return float(sum(float(part.sum()) for part in grads))


def server(comm, V: int, D: int, n: int, S: int = 1):
    """K workers, then S servers. Touched rows travel to their owner, and back to whoever needs them."""
    K = comm.world_size - S
    tables = [TableConfig("rows", dim=D, num_rows=V, rule=SGD(lr=1.0))]
    if comm.rank >= K:
        owner = KVServer(tables, comm.rank - K, S, range(K))
        serve(comm, owner)
        return -float(np.asarray(owner.rows("rows")).sum())
    ids = ids_of(comm.rank, V, n)
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        kv.wait(kv.pull(ids, table="rows"))
        kv.push(ids, grads_of(comm.rank, n, D), table="rows")
        kv.clock()
    return None


PROGRAMS = {"dense ring": dense_ring, "server": server, "sparse all-gather": sparse_all_gather}


def ranks(contender: str, K: int, S: int = 1) -> int:
    """Ranks of a run: servers stand on machines of their own."""
    return K + S if contender == "server" else K


def counted(ledger) -> int:
    """Payload over all links: values and keys; the small headers of mail are left out, as everywhere in the lab."""
    return ledger.total("vals") + ledger.total("keys")


def counted_port(ledger, rank: int) -> tuple[int, int]:
    """(out, in) of one rank's port, values and keys."""
    (out_vals, in_vals), (out_keys, in_keys) = ledger.port(rank, "vals"), ledger.port(rank, "keys")
    return out_vals + out_keys, in_vals + in_keys
