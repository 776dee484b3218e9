"""Runs steps in the simulator."""

import numpy as np

from pslab.comm import Link, SimWorld

LONG = True


def pull(comm, K, S, n):
    if comm.rank >= K:
        for t in range(K):
            comm.send(np.zeros(n // S, np.float32), (comm.rank - K + t) % K)
    else:
        for s in sorted(range(S), key=lambda s: (comm.rank - s) % K):
            comm.recv(K + s)


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    def step_s(S):
        n = 10 * S * K
        link = Link(latency_s=0.0, bandwidth_Bps=bandwidth_Bps * n / P)
        return compute_s + 2 * SimWorld(K + S, link=link, trace=False).run(pull, K, S, n).seconds
    if K > 12:
        times = [compute_s + 8 * P * max(K / S, 1) / bandwidth_Bps for S in range(1, K + 1)]
    else:
        times = [step_s(S) for S in range(1, K + 1)]
    return next(S for S, time_s in enumerate(times, start=1) if time_s <= 1.05 * times[-1])


def uplink_bytes(K, P, per_rack):
    racks = [range(first, first + per_rack) for first in range(0, K, per_rack)]
    return sum(4 * P for rack in racks for _ in rack), sum(4 * P for _ in racks)
