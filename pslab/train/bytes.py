"""What a job sent through each port, dense and sparse apart, from the counters of those who sent it.

    worker's port    ring over the workers (from the ledger)  +  its KVWorker's counters, by table
    server's port    its KVServer's counters, by table

    dense   the MLPs' parameters and gradients        sparse   rows, their gradients, and their keys
    headers and acknowledgements are in neither; keys + vals of the ledger are both, to the byte
"""

from __future__ import annotations

from pslab.cost import Port, PortSplit, ring_all_reduce

from .pipelined import bucket_limit, bucket_stretches
from .run import JobResult
from .strategies import DENSE_TABLE


def port_bytes(result: JobResult) -> list[PortSplit]:
    """Bytes of the whole run by rank: workers, then servers. `.dense` and `.sparse` are (out, in) of the port."""
    job, steps = result.job, len(result.losses)
    has_ring = job.strategy in ("allreduce", "hybrid", "exchange")
    dense_ring = _ring_of_dense(result) if has_ring else [Port(0, 0)] * job.workers
    splits = []
    for rank in range(job.workers):
        dense = Port(dense_ring[rank].out_bytes * steps, dense_ring[rank].in_bytes * steps)
        sparse = _minus(_among_workers(result, rank), dense)       # the other ring: gradients of whole tables
        for table, counts in result.worker_stats[rank].items():
            moved = Port(counts["keys_out_bytes"] + counts["vals_out_bytes"],
                         counts["keys_in_bytes"] + counts["vals_in_bytes"])
            dense, sparse = _add(dense, sparse, table, moved)
        splits.append(PortSplit(dense, sparse))
    for stats in result.server_stats:
        dense = sparse = Port(0, 0)
        for table, counts in stats["tables"].items():
            moved = Port(counts["keys_out_bytes"] + counts["vals_out_bytes"],
                         counts["keys_in_bytes"] + counts["vals_in_bytes"])
            dense, sparse = _add(dense, sparse, table, moved)
        splits.append(PortSplit(dense, sparse))
    return splits


def busiest_port(result: JobResult) -> tuple[int, str, float, float]:
    """(rank, 'out' or 'in', dense bytes a step, sparse bytes a step) of the port direction that carried most."""
    steps = len(result.losses)
    directions = [(rank, way, split.dense[i], split.sparse[i])
                  for rank, split in enumerate(port_bytes(result)) for i, way in enumerate(("out", "in"))]
    rank, way, dense, sparse = max(directions, key=lambda found: found[2] + found[3])
    return rank, way, dense / steps, sparse / steps


def _ring_of_dense(result: JobResult) -> list[Port]:
    """One step's rings over the dense parameters: the ledger cannot tell two rings apart, the closed form can."""
    sizes = [value.numel() for name, value in result.state.items() if not name.startswith("embeddings.")]
    buckets, _ = bucket_stretches(sizes, bucket_limit(result.job.bucket_bytes, result.job.pipelined))
    rings = [ring_all_reduce(bucket.stop - bucket.start, result.job.workers).ports for bucket in buckets]
    return [Port(sum(port.out_bytes for port in ports), sum(port.in_bytes for port in ports)) for ports in zip(*rings)]


def _among_workers(result: JobResult, rank: int) -> Port:
    others = [other for other in range(result.job.workers) if other != rank]
    ledger = result.run.ledger
    return Port(sum(ledger.link(rank, other) for other in others), sum(ledger.link(other, rank) for other in others))


def _minus(port: Port, part: Port) -> Port:
    return Port(port.out_bytes - part.out_bytes, port.in_bytes - part.in_bytes)


def _add(dense: Port, sparse: Port, table: str, moved: Port) -> tuple[Port, Port]:
    return (dense.plus(moved), sparse) if table == DENSE_TABLE else (dense, sparse.plus(moved))
