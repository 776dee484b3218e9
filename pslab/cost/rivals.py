"""Three rivals for one sparse step, by bytes and by memory: dense ring, server, sparse all-gather.

    allreduce   every row of the table travels, touched or not       2(K−1)·V·Db              a replica on every worker
    server      n touched rows a worker, pulled and pushed           2K·n·(Db + key)          each row once, on a server
    gather      n touched rows a worker, to all others               K(K−1)·n·(Db + key)      a replica on every worker

The gather moves (K−1)/2 times the server's bytes: half of them at K = 2, as many at K = 3. What it costs besides is the
replica of the table with its optimizer state, K copies in all. A step that touches every row names none: whole ranges
travel, without keys, in all three.
"""

from __future__ import annotations

from dataclasses import dataclass

from .collectives import ring_all_reduce, sparse_all_gather
from .ports import Port, check_count, chunk_sizes
from .servers import parameter_server, sparse_server

RIVALS = ("allreduce", "server", "gather")


@dataclass(frozen=True)
class Rival:
    """One way to do the step. ports: by rank, workers first, then servers. worker_bytes, server_bytes: rows and their
    optimizer state that one of them holds between steps (the largest shard). holders: machines that hold them."""

    name: str
    ports: tuple[Port, ...]
    worker_bytes: int
    server_bytes: int
    holders: int

    @property
    def total(self) -> int:
        """Bytes over all links, each counted once."""
        return sum(port.out_bytes for port in self.ports)

    @property
    def busiest(self) -> int:
        """Bytes in the busiest direction of the busiest port."""
        return max(port.busiest for port in self.ports)

    @property
    def state_bytes(self) -> int:
        """What all machines hold together: a replica on each worker, or the shards of the servers."""
        return self.holders * (self.worker_bytes + self.server_bytes)


def three_rivals(K: int, S: int, rows: int, dim: int, rows_per_worker: int, *, slots: int = 0, key_bytes: int = 8,
                 itemsize: int = 4) -> dict[str, Rival]:
    """{'allreduce', 'server', 'gather'} for K workers, S servers on machines of their own, a table of `rows` rows.

    rows_per_worker: unique rows that each worker touches; slots: numbers of optimizer state for each of a row (AdaGrad
    1, Adam 2). Equal to a ledger's ports where each server's range holds as many touched rows as `chunk_sizes` says.
    """
    check_count("K", K, 1), check_count("S", S, 1), check_count("slots", slots)
    row = check_count("dim", dim, 1) * check_count("itemsize", itemsize, 1)
    if check_count("rows_per_worker", rows_per_worker) > check_count("rows", rows, 1):
        raise ValueError(f"rows_per_worker={rows_per_worker}; unique rows can be at most rows={rows}")
    whole = rows_per_worker == rows
    copy, shard = rows * row * (1 + slots), -(-rows // S) * row * (1 + slots)
    if whole:
        served = parameter_server(rows, K, S, row).ports
    else:
        workers = sparse_server(rows_per_worker, K, S, row, key_bytes).workers
        each = chunk_sizes(rows_per_worker, S)
        served = (*workers, *(Port(K * n * row, K * n * (row + 2 * key_bytes)) for n in each))
    gathered = sparse_all_gather(rows_per_worker, K, row, 0 if whole else key_bytes)
    return {"allreduce": Rival("allreduce", ring_all_reduce(rows * dim, K, itemsize).ports, copy, 0, K),
            "server": Rival("server", served, 0, shard, S),
            "gather": Rival("gather", gathered.ports, copy, 0, K)}


def gather_over_server(K: int) -> float:
    """(K − 1)/2: bytes of the sparse all-gather over the server's, all links, keys counted on both sides."""
    return (check_count("K", K, 1) - 1) / 2
