"""The accounting of section 11.9: its printed numbers, to the byte, and the same quantities counted alike.

      dense step (P numbers, K workers)          sparse step (n rows of D from a table of V rows, per worker)
      printed:   ring one way,  server both      printed:   all links of the ring, all links of the server
      fair:      both one way, or both both      fair:      busiest direction on both sides, keys counted
"""

from __future__ import annotations

from dataclasses import dataclass

from .collectives import ring_all_reduce, sparse_all_gather
from .ports import check_count
from .servers import parameter_server, sparse_server


@dataclass(frozen=True)
class Accounting119:
    """Counts in bytes per step, exact; ratios are floats. `*_one_way`: per direction of a port."""

    P: int
    K: int
    bytes_per_param: int
    V: int
    D: int
    ids_per_step: int
    key_bytes: int
    # ---- dense step
    ring_one_way: int             # busiest direction of a worker's port, ring all-reduce
    ring_both_ways: int
    ring_total: int               # over all links
    server_one_way: int           # busiest direction of the one server's port
    server_both_ways: int
    # ---- sparse step
    rows_touched: int             # by all workers, K·n
    touched_share: float          # of the table, all workers
    touched_share_worker: float   # of the table, one worker
    sparse_total: int             # server, all links, keys not counted
    sparse_total_with_keys: int
    sparse_one_way: int           # server's port, values only, S = 1
    table_bytes: int
    table_ring_total: int         # dense all-reduce of the table, all links
    table_ring_one_way: int       # ... one direction of one port
    gather_total: int             # sparse all-gather with keys, all links
    gather_memory_bytes: int      # the replica of the table each worker must hold for it

    @property
    def printed_dense_ratio(self) -> float:
        """9.1×: the server counted both ways, the ring one way. K²/(K−1)."""
        return self.server_both_ways / self.ring_one_way

    @property
    def fair_dense_ratio(self) -> float:
        """4.57×: both counted one way, or both both ways. K²/(2(K−1))."""
        return self.server_one_way / self.ring_one_way

    @property
    def printed_sparse_ratio(self) -> float:
        """21,362×: totals over all links. (K−1)·V/(K·n)."""
        return self.table_ring_total / self.sparse_total

    @property
    def listing_sparse_ratio(self) -> float:
        """2,670×: the sparse half counted as the listing counts its dense half, one way against both ways."""
        return self.table_ring_one_way / self.sparse_total

    @property
    def fair_sparse_ratio(self) -> float:
        """5,341×: busiest direction against busiest direction, one server."""
        return self.table_ring_one_way / self.sparse_one_way

    @property
    def gather_over_server(self) -> float:
        """(K−1)/2: bytes of a sparse all-gather over bytes of the server, keys counted on both sides."""
        return self.gather_total / self.sparse_total_with_keys

    def printed(self) -> dict[str, str]:
        """The eight printed figures, formatted as they were printed."""
        return {
            "all-reduce, busiest link": f"{self.ring_one_way / 1e9:.2f} GB",
            "server, busiest link": f"{self.server_both_ways / 1e9:.2f} GB",
            "dense ratio": f"{self.printed_dense_ratio:.1f}x",
            "rows touched": f"{self.rows_touched:,}",
            "share touched": f"{self.touched_share * 100:.4f} %",
            "server, sparse step": f"{self.sparse_total / 1e6:.3f} MB",
            "all-reduce of the table": f"{self.table_ring_total / 1e9:.3f} GB",
            "sparse ratio": f"{self.printed_sparse_ratio:,.0f}x",
        }


def accounting_11_9(P: int = 50_000_000, K: int = 8, bytes_per_param: int = 4, V: int = 100_000_000, D: int = 128,
                    ids_per_step: int = 4096, key_bytes: int = 8) -> Accounting119:
    """Count a dense step of P parameters and a sparse step of `ids_per_step` rows a worker; K workers, one server.

    >>> accounting_11_9().printed()["sparse ratio"]
    '21,362x'
    """
    b = check_count("bytes_per_param", bytes_per_param, 1)
    check_count("V", V, 1)
    if check_count("ids_per_step", ids_per_step, 1) > V:
        raise ValueError(f"ids_per_step={ids_per_step}; unique ids can be at most V={V}")
    if check_count("K", K) < 2:
        raise ValueError(f"K={K}; an accounting of communication needs 2 workers or more")
    row_bytes = check_count("D", D, 1) * b
    ring, server = ring_all_reduce(check_count("P", P, 1), K, b), parameter_server(P, K, 1, b)
    table = ring_all_reduce(V * D, K, b)
    rows, rows_and_keys = (sparse_server(ids_per_step, K, 1, row_bytes, key) for key in (0, key_bytes))
    return Accounting119(
        P, K, b, V, D, ids_per_step, key_bytes,
        ring_one_way=ring.busiest,
        ring_both_ways=max(port.both for port in ring.ports),
        ring_total=ring.total,
        server_one_way=server.busiest,
        server_both_ways=server.servers[0].both,
        rows_touched=K * ids_per_step,
        touched_share=K * ids_per_step / V,
        touched_share_worker=ids_per_step / V,
        sparse_total=rows.total,
        sparse_total_with_keys=rows_and_keys.total,
        sparse_one_way=rows.busiest,
        table_bytes=V * row_bytes,
        table_ring_total=table.total,
        table_ring_one_way=table.busiest,
        gather_total=sparse_all_gather(ids_per_step, K, row_bytes, key_bytes).total,
        gather_memory_bytes=V * row_bytes,
    )
