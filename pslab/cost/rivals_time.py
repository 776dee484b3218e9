"""Seconds of one step of a recommender under the three ways to train it, in the port model of `Link`.

    allreduce   compute │ ring of the dense part │ ring of the whole table
    server      pull dense │ request, rows │ compute │ push rows │ push dense │ end of the round
    hybrid                   request, rows │ compute │ push rows, beside it the ring of the dense part │ end of round

A phase takes as long as its busiest port needs for its bytes, and a latency; phases follow each other. Left out are
messages of different workers that meet (in turn a phase is up to (S − 1)/S · n longer), headers, and copying.
"""

from __future__ import annotations

from .ports import alpha_beta_s, check_count
from .strategies import STRATEGIES, strategy_port_bytes


def strategy_step_s(strategy: str, K: int, S: int, dense_bytes: int, table_rows: int, row_bytes: int,
                    rows_per_worker: int, *, bandwidth_Bps: float, latency_s: float = 0.0, compute_s: float = 0.0,
                    key_bytes: int = 8, itemsize: int = 4) -> float:
    """Seconds of a step; arguments as of `strategy_port_bytes`, bandwidth of a port in each direction.

    compute_s: forward, backward and the update, of a worker. One worker with servers still pulls and pushes.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r}; allowed: {', '.join(STRATEGIES)}")
    if not 0 <= compute_s < float("inf"):
        raise ValueError(f"compute_s={compute_s!r}; a number of seconds, 0 or more, is needed")
    step = strategy_port_bytes(strategy, K, S, dense_bytes, table_rows, row_bytes, rows_per_worker, key_bytes, itemsize)

    def phase(payload_bytes: float, rounds: int = 1) -> float:
        return alpha_beta_s(rounds, payload_bytes, latency_s, bandwidth_Bps)

    def ring(payload_bytes: int) -> float:
        return phase(payload_bytes, 2 * (K - 1)) if K > 1 else 0.0

    if strategy == "allreduce":
        return compute_s + ring(step.worker.dense.busiest) + ring(step.worker.sparse.busiest)
    n, most = rows_per_worker, -(-rows_per_worker // S)
    load = max(check_count("K", K, 1) * most, n)            # rows through the busiest port, server's or worker's
    seconds = compute_s + phase(load * key_bytes) + phase(load * row_bytes)
    push_s, end_s = phase(load * (row_bytes + key_bytes)), 2 * latency_s
    if strategy == "hybrid":
        own_s = n * (row_bytes + key_bytes) / bandwidth_Bps + ring(step.worker.dense.busiest)
        return seconds + max(push_s, own_s) + end_s
    dense_s = phase(max(step.worker.dense.busiest, step.server.dense.busiest))
    return seconds + push_s + end_s + 2 * dense_s + latency_s
