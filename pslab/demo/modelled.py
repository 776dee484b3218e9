"""Bytes on the busiest port for K = 2 ... 64 workers, from pslab.cost: modelled, not measured.

Each worker keeps its part of the batch, so more workers mean more rows in all. Two ways to place servers: the S of this
run, or as many servers as workers.
"""

from __future__ import annotations

from dataclasses import dataclass

from pslab.cost import parameter_server, ring_all_reduce, strategy_port_bytes

from .train import Size

WORKERS = (2, 4, 8, 16, 32, 64)
BYTES = 4               # of a float32
LARGE_ROWS = 10_000_000


@dataclass(frozen=True)
class Line:
    """One line of the model: bytes a step on the busiest port, one direction, for each K of WORKERS."""

    label: str
    strategy: str
    servers: int | None         # None: as many as workers
    bytes: tuple[int, ...]


def lines(size: Size, servers: int, table_rows: int | None = None) -> list[Line]:
    """All-reduce; server and hybrid with `servers` servers, and with S = K. table_rows: other than the run's."""
    def line(label, strategy, S):
        return Line(label, strategy, S, tuple(_busiest(strategy, K, S or K, size, table_rows) for K in WORKERS))

    ways = [line("allreduce", "allreduce", servers)]
    for S, name in ((servers, f"S = {servers}"), (None, "S = K")):
        ways += [line(f"{strategy}, {name}", strategy, S) for strategy in ("server", "hybrid")]
    return ways


def part_from(size: Size, servers: int) -> int | None:
    """The smallest K from which `servers` servers carry at least 1 % more dense bytes per direction than the ring."""
    return next((K for K in range(2, WORKERS[-1] + 1)
                 if dense_busiest("server", K, servers, size) > 1.01 * dense_busiest("ring", K, servers, size)), None)


def overtaken_from(size: Size, servers: int) -> int | None:
    """The smallest K from which hybrid with `servers` servers sends more bytes than allreduce; None up to 64."""
    return next((K for K in range(2, WORKERS[-1] + 1)
                 if _busiest("hybrid", K, servers, size) > _busiest("allreduce", K, servers, size)), None)


def dense_busiest(how: str, K: int, servers: int, size: Size) -> int:
    """Dense bytes a step on the busiest port, one direction: by "ring" or by "server"."""
    if how == "ring":
        return ring_all_reduce(size.dense_parameters, K, BYTES).busiest
    return parameter_server(size.dense_parameters, K, servers, BYTES).busiest


def _busiest(strategy: str, K: int, S: int, size: Size, table_rows: int | None = None) -> int:
    rows = max(table_rows or size.table_rows, size.table_rows)
    return strategy_port_bytes(strategy, K, S, BYTES * size.dense_parameters, rows, BYTES * size.dim,
                               round(size.rows_per_worker)).busiest
