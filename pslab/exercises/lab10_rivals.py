"""The two baselines of 10.5, as traffic on the same links, and what pslab.cost says of all three.

    all-reduce everything    dense part and the whole table around a ring
    server everything        S servers on machines of their own: rows and the dense part pulled and pushed
    hybrid                   the dense part around a ring, rows by all-to-all between the workers

Messages have the sizes of a real step and hold zeros: seconds and bytes do not depend on values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab import collectives, cost
from pslab.comm import SimWorld

from .lab10_reference import Trial

KEY = 8
NAMES = ("all-reduce", "server", "hybrid")


@dataclass(frozen=True)
class Measured:
    """A step on average: bytes of the fullest direction of the fullest port, virtual seconds."""

    port_bytes: float
    seconds: float


def measured(run, steps: int) -> Measured:
    ports = (run.ledger.port(rank) for rank in range(run.ledger.world_size))
    return Measured(max(map(max, ports)) / steps, run.seconds / steps)


def everything_reduced(comm, P: int, numbers: int, compute_s: float, steps: int) -> None:
    for _ in range(steps):
        comm.compute(compute_s)
        collectives.all_reduce(comm, torch.zeros(P))
        collectives.all_reduce(comm, torch.zeros(numbers))


def everything_served(comm, K: int, P: int, D: int, rows: list, compute_s: float) -> None:
    """rows[t][k][s]: different rows that worker k touches at server s."""
    S = comm.world_size - K
    workers, servers = range(K), range(K, K + S)
    for step in rows:
        if comm.rank < K:
            mine = step[comm.rank]
            for tag, sizes in enumerate(([n * KEY for n in mine], [n * (KEY + 4 * D) + 4 * (P // S) for n in mine])):
                sent = [comm.isend(torch.zeros(size, dtype=torch.uint8), s, tag=tag) for s, size in zip(servers, sizes)]
                if tag == 0:
                    for s in servers:
                        comm.recv(s)
                    comm.compute(compute_s)
                for work in sent:
                    work.wait()
        else:
            for k in workers:
                comm.recv(k)
            own = [step[k][comm.rank - K] for k in workers]
            sent = [comm.isend(torch.zeros(4 * n * D + 4 * (P // S), dtype=torch.uint8), k) for k, n in enumerate(own)]
            for k in workers:
                comm.recv(k, tag=1)
            for work in sent:
                work.wait()


def baselines(trial: Trial, S: int, link, steps: int = 4) -> dict[str, Measured]:
    """Both, for the first steps of the trial."""
    K, P, layers = trial.K, trial.numbers, len(trial.dense)
    compute_s = 1.5 * layers * trial.layer_s
    reduced = SimWorld(K, link=link, trace=False).run(everything_reduced, P, trial.R * trial.D, compute_s, steps)
    rows = []
    for step in trial.batches[:steps]:
        unique = [np.unique(ids.numpy()) for _, ids, _ in step]
        rows.append([[int((ids % S == s).sum()) for s in range(S)] for ids in unique])
    served = SimWorld(K + S, link=link, trace=False).run(everything_served, K, P, trial.D, rows, compute_s)
    return {"all-reduce": measured(reduced, steps), "server": measured(served, steps)}


def port_bytes(spec: dict) -> dict[str, float]:
    """By pslab.cost: bytes a step of the fullest direction of the fullest port. The reference of 10.5's formula."""
    K, S, P, R, D, u = (spec[name] for name in ("K", "S", "P", "R", "D", "u"))
    made = {name: cost.strategy_port_bytes(how, K, S, 4 * P, R, 4 * D, u).busiest
            for name, how in (("all-reduce", "allreduce"), ("server", "server"))}
    return {**made, "hybrid": hybrid_bytes(K, P, D, u)}


def hybrid_bytes(K: int, P: int, D: int, u: float) -> float:
    """u different rows of a worker a step, spread over K owners: ids, rows and gradients to K - 1 of them."""
    ring = max(max(port.out_bytes, port.in_bytes) for port in cost.ring_all_reduce(P, K).ports)
    each = u / K
    rows = cost.all_to_all([[0 if r == q else round(each * (KEY + 8 * D)) for q in range(K)] for r in range(K)])
    return ring + rows.ports[0].out_bytes
