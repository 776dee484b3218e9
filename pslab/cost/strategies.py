"""Bytes on every port for one step of a recommender, under the three ways to train it.

      strategy     dense part (D bytes)                      table (rows of row_bytes)
      allreduce    ring over the workers                     ring over the workers, every row, touched or not
      server       pulled and pushed whole, S ranges         touched rows pulled and pushed, with their keys
      hybrid       ring over the workers                     touched rows pulled and pushed, with their keys

Assumed: every worker touches `rows_per_worker` unique rows a step, the servers' ranges hold equal shares of what is
touched (rounded up), servers have machines of their own, and a step of the server strategy pulls and pushes
the dense part once per worker. Headers and acknowledgements are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from .collectives import ring_all_reduce
from .ports import Port, check_count
from .servers import parameter_server, sparse_server

STRATEGIES = ("allreduce", "server", "hybrid")
NOTHING = Port(0, 0)


@dataclass(frozen=True)
class PortSplit:
    """Bytes of one port in one step, dense and sparse apart."""

    dense: Port = NOTHING
    sparse: Port = NOTHING

    @property
    def total(self) -> Port:
        return self.dense.plus(self.sparse)


@dataclass(frozen=True)
class StepBytes:
    """One step: the busiest worker's port and the busiest server's port."""

    strategy: str
    worker: PortSplit
    server: PortSplit

    @property
    def busiest(self) -> int:
        """Bytes in the larger direction of the busiest port, worker or server."""
        return self.busiest_port.total.busiest

    @property
    def busiest_port(self) -> PortSplit:
        return max(self.worker, self.server, key=lambda port: port.total.busiest)


def strategy_port_bytes(strategy: str, K: int, S: int, dense_bytes: int, table_rows: int, row_bytes: int,
                        rows_per_worker: int, key_bytes: int = 8, itemsize: int = 4) -> StepBytes:
    """Bytes per step of `strategy` ('allreduce', 'server' or 'hybrid') with K workers and S servers.

    dense_bytes: of the dense part. table_rows × row_bytes: the table. rows_per_worker: unique rows a worker
    touches a step. key_bytes: of a key on the wire. itemsize: of a number, for the ring's chunks.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r}; allowed: {', '.join(STRATEGIES)}")
    check_count("K", K, 1)
    if strategy != "allreduce":
        check_count("S", S, 1)
    if check_count("rows_per_worker", rows_per_worker) > check_count("table_rows", table_rows):
        raise ValueError(f"rows_per_worker={rows_per_worker}; unique rows can be at most table_rows={table_rows}")
    dense = _elements("dense_bytes", dense_bytes, itemsize)
    table = table_rows * _elements("row_bytes", row_bytes, itemsize)
    if strategy == "allreduce":
        worker = PortSplit(_ring_port(dense, K, itemsize), _ring_port(table, K, itemsize))
        return StepBytes(strategy, worker, PortSplit())
    rows = sparse_server(rows_per_worker, K, S, row_bytes, key_bytes)
    if strategy == "hybrid":
        worker = PortSplit(_ring_port(dense, K, itemsize), rows.workers[0])
        return StepBytes(strategy, worker, PortSplit(sparse=rows.servers[0]))
    whole = parameter_server(dense, K, S, itemsize)
    worker, server = PortSplit(whole.workers[0], rows.workers[0]), PortSplit(whole.servers[0], rows.servers[0])
    return StepBytes(strategy, worker, server)


def _ring_port(elements: int, K: int, itemsize: int) -> Port:
    """The busiest port; with uneven chunks ports differ by a chunk's odd element or two."""
    ports = ring_all_reduce(elements, K, itemsize).ports
    return Port(max(port.out_bytes for port in ports), max(port.in_bytes for port in ports))


def _elements(argument: str, payload_bytes: int, itemsize: int) -> int:
    elements, rest = divmod(check_count(argument, payload_bytes), check_count("itemsize", itemsize, 1))
    if rest:
        raise ValueError(f"{argument}={payload_bytes}; a multiple of itemsize={itemsize} bytes is needed")
    return elements
