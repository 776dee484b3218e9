"""Which architecture for one group of parameters: a decision with its binding reason. Four questions, in this order:

    1  capacity    does a full copy, with its optimizer state, fit on a worker?        no  ──> server
    2  elastic     do workers join and leave while it runs?                            yes ──> server
    3  straggler   is somebody slow, and may the others go on for as long as it takes? yes ──> server
    4  bytes       else the contender with the fewest bytes in the busiest direction of the busiest port:
                   dense all-reduce · sparse all-gather · server       (equal: in this order)

The reason is the first question that settles it. A model is several groups: asked for each of them, a recommender comes
out as a hybrid. A slow worker is no reason by itself: a server whose rounds are synchronous waits as a ring does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from .collectives import ring_all_reduce, sparse_all_gather
from .ports import check_count
from .servers import parameter_server, sparse_server

ARCHITECTURES = ("allreduce", "gather", "server")
REASONS = ("capacity", "elastic", "straggler", "bytes")
STRAGGLERS = ("none", "transient", "persistent")


@dataclass(frozen=True)
class Choice:
    """`busiest`: bytes per direction of the busiest port for each contender, cheapest first, possible or not."""

    architecture: str          # one of ARCHITECTURES
    reason: str                # in words
    copy_bytes: int            # a full copy with its optimizer state
    busiest: dict[str, int]
    binding: str = "bytes"     # one of REASONS: the first question that settled it


def choose(*, K: int, S: int, rows: int, row_bytes: int, rows_per_worker: int, worker_memory_bytes: int,
           slots: int = 0, key_bytes: int = 8, straggler: str = "none", staleness: float = 0,
           elastic: bool = False) -> Choice:
    """Choose for a group of `rows` rows of `row_bytes` bytes, of which one worker's step touches `rows_per_worker`.

    rows_per_worker = rows is a dense group: whole ranges travel, without keys. slots: numbers of optimizer state per
    parameter (AdaGrad 1, Adam 2). K workers; S servers on machines of their own.

    straggler: 'none', 'transient' (slow now and then, anyone) or 'persistent' (one, always). staleness: rounds that a
    worker may be ahead of the slowest, 0 (everybody waits) to inf. Any slack bridges a transient straggler; a
    persistent one uses up every bound, so that only inf passes it. elastic: workers come and go during the run.
    """
    check_count("K", K, 1)
    if check_count("rows_per_worker", rows_per_worker) > check_count("rows", rows, 1):
        raise ValueError(f"rows_per_worker={rows_per_worker}; unique rows can be at most rows={rows}")
    table_bytes = rows * check_count("row_bytes", row_bytes, 1)
    copy_bytes = table_bytes * (1 + check_count("slots", slots))
    check_count("worker_memory_bytes", worker_memory_bytes)
    slack = _slack_helps(straggler, staleness)
    busiest = _busiest(K, S, rows, row_bytes, rows_per_worker, key_bytes)
    if copy_bytes > worker_memory_bytes:
        reason = f"a copy of {copy_bytes:,} bytes does not fit in a worker's {worker_memory_bytes:,}"
        return Choice("server", reason, copy_bytes, busiest, "capacity")
    if elastic:
        reason = "workers join and leave: a collective needs every member in every call, a server serves who is there"
        return Choice("server", reason, copy_bytes, busiest, "elastic")
    if slack:
        reason = (f"a {straggler} straggler, and the others may be {staleness:g} rounds ahead: a server lets them, a "
                  f"collective ends when its slowest member has come")
        return Choice("server", reason, copy_bytes, busiest, "straggler")
    (best, fewest), (second, more), _ = busiest.items()
    reason = f"fits, and {fewest:,} bytes through the busiest port; next is {second} with {more:,}"
    return Choice(best, reason, copy_bytes, busiest)


def _busiest(K: int, S: int, rows: int, row_bytes: int, rows_per_worker: int, key_bytes: int) -> dict[str, int]:
    """Bytes in the busiest direction of the busiest port, cheapest first; equal ones in the order of ARCHITECTURES."""
    table_bytes, dense = rows * row_bytes, rows_per_worker == rows
    server = parameter_server(table_bytes, K, S, 1) if dense else \
        sparse_server(rows_per_worker, K, S, row_bytes, key_bytes)
    busiest = {
        "allreduce": ring_all_reduce(table_bytes, K, 1).busiest,
        "gather": sparse_all_gather(rows_per_worker, K, row_bytes, 0 if dense else key_bytes).busiest,
        "server": server.busiest,
    }
    return dict(sorted(busiest.items(), key=lambda pair: pair[1]))


def _slack_helps(straggler: str, staleness: float) -> bool:
    """Whether somebody is slow whom the staleness allowed lets the others pass for good."""
    if straggler not in STRAGGLERS:
        raise ValueError(f"straggler={straggler!r}; allowed: {', '.join(map(repr, STRAGGLERS))}")
    if isinstance(staleness, bool) or not staleness >= 0:
        raise ValueError(f"staleness={staleness!r}; a number of rounds from 0 to inf is needed")
    return {"none": False, "transient": staleness > 0, "persistent": staleness == inf}[straggler]
