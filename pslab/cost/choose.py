"""Which architecture for one group of parameters: a decision with its reason, from capacity and bytes alone.

    does a full copy, with its optimizer state, fit on a worker?
        no   ──> server
        yes  ──> the contender with the fewest bytes in the busiest direction of the busiest port:
                 dense all-reduce · sparse all-gather · server          (equal: in this order)

A model is several groups: asked for each of them, a recommender comes out as a hybrid. Rhythm (who waits for whom) is
a separate question: servers can be synchronous, and collectives need not be.
"""

from __future__ import annotations

from dataclasses import dataclass

from .collectives import ring_all_reduce, sparse_all_gather
from .ports import check_count
from .servers import parameter_server, sparse_server


@dataclass(frozen=True)
class Choice:
    """`busiest`: bytes per direction of the busiest port for each contender, cheapest first, possible or not."""

    architecture: str          # allreduce | gather | server
    reason: str
    copy_bytes: int            # a full copy with its optimizer state
    busiest: dict[str, int]


def choose(*, K: int, S: int, rows: int, row_bytes: int, rows_per_worker: int, worker_memory_bytes: int,
           slots: int = 0, key_bytes: int = 8) -> Choice:
    """Choose for a group of `rows` rows of `row_bytes` bytes, of which one worker's step touches `rows_per_worker`.

    rows_per_worker = rows is a dense group: whole ranges travel, without keys. slots: numbers of optimizer state per
    parameter (AdaGrad 1, Adam 2). K workers; S servers on machines of their own.
    """
    check_count("K", K, 1)
    if check_count("rows_per_worker", rows_per_worker) > check_count("rows", rows, 1):
        raise ValueError(f"rows_per_worker={rows_per_worker}; unique rows can be at most rows={rows}")
    table_bytes = rows * check_count("row_bytes", row_bytes, 1)
    copy_bytes = table_bytes * (1 + check_count("slots", slots))
    dense = rows_per_worker == rows
    if dense:
        server = parameter_server(table_bytes, K, S, 1)
    else:
        server = sparse_server(rows_per_worker, K, S, row_bytes, key_bytes)
    busiest = {
        "allreduce": ring_all_reduce(table_bytes, K, 1).busiest,
        "gather": sparse_all_gather(rows_per_worker, K, row_bytes, 0 if dense else key_bytes).busiest,
        "server": server.busiest,
    }
    busiest = dict(sorted(busiest.items(), key=lambda pair: pair[1]))  # stable: equal ones keep their order
    if copy_bytes > check_count("worker_memory_bytes", worker_memory_bytes):
        reason = f"a copy of {copy_bytes:,} bytes does not fit in a worker's {worker_memory_bytes:,}"
        return Choice("server", reason, copy_bytes, busiest)
    (best, fewest), (second, more), _ = busiest.items()
    reason = f"fits, and {fewest:,} bytes through the busiest port; next is {second} with {more:,}"
    return Choice(best, reason, copy_bytes, busiest)
