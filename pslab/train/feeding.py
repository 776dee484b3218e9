"""Both ways of feeding K workers, side by side: data servers against a partitioned data set, in bytes and in time.

    partitioned    every worker reads its own rows from its own copy:    no bytes on the network, K copies stored;
                   equal shares, so that the slowest worker sets the pace
    servers        every row travels once an epoch:                      one copy stored, and the servers' ports;
                   a slow worker asks less often, so that all end together
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pslab.comm import Comm, Faults, Ledger, Link, SimWorld
from pslab.data import Partition

from .data_server import DataServer, DataWorker, serve_data


@dataclass(frozen=True)
class Feeding:
    """One way, over all epochs. `seconds` are virtual, from the first row to the end of the slowest worker."""

    way: str                          # 'partitioned' or 'servers'
    seconds: float
    network_bytes: int
    busiest_port_bytes: int           # the busier direction of the busiest port
    stored_bytes: int                 # of the data set, on all machines together
    rows_of_worker: tuple[int, ...]
    ledger: Ledger


def compare_feeding(*, rows: int = 10_000, row_bytes: int = 3_072, K: int = 4, S: int = 1, batch: int = 32,
                    epochs: int = 1, row_s: float = 50e-6, slow: Mapping[int, float] | None = None,
                    link: Link | None = None, ahead: bool = True, at_end: str = "pad", seed: int = 0) -> list[Feeding]:
    """Run both ways in the simulator; gives [partitioned, servers].

    row_s: seconds a worker computes on a row; slow: {worker: factor}, how much longer some take. Workers only compute
    and never wait for each other. at_end: of the partition. S servers, on machines of their own.
    """
    for name, value in (("rows", rows), ("row_bytes", row_bytes), ("K", K), ("S", S), ("batch", batch),
                        ("epochs", epochs)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}; a whole number from 1 on is needed")
    for worker in slow or {}:
        if worker not in range(K):
            raise ValueError(f"slow names {worker!r}; workers run from 0 to {K - 1}")
    link, faults = link or Link(), Faults(slow=dict(slow or {}))
    partition = Partition(rows, K, seed, at_end=at_end)

    def partitioned(comm: Comm) -> tuple[int, float]:
        done = 0
        for epoch in range(epochs):
            for mine in partition.batches(comm.rank, epoch, batch):
                comm.compute(row_s * len(mine))
                done += len(mine)
        return done, comm.now()

    def served(comm: Comm) -> tuple[int, float]:
        servers = range(K, K + S)
        if comm.rank in servers:
            ids = torch.arange(rows)[comm.rank - K::S]
            data = torch.zeros(1, row_bytes, dtype=torch.uint8).expand(len(ids), row_bytes)    # one row of memory
            serve_data(comm, DataServer([data], batch=batch, ids=ids, seed=seed + comm.rank - K), range(K))
            return 0, 0.0
        worker = DataWorker(comm, servers, ahead=ahead)
        for epoch in range(epochs):
            for mine, _ in worker.epoch(epoch):
                comm.compute(row_s * len(mine))
        ended_s = comm.now()
        worker.close()
        return worker.rows, ended_s

    found = []
    for way, program, size, copies in (("partitioned", partitioned, K, K), ("servers", served, K + S, 1)):
        run = SimWorld(size, link=link, faults=faults, seed=seed, trace=False).run(program)
        found.append(Feeding(way, max(ended_s for _, ended_s in run.results), run.ledger.total(),
                             run.ledger.busiest_port()[2], copies * rows * row_bytes,
                             tuple(done for done, _ in run.results[:K]), run.ledger))
    return found
