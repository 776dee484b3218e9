"""Asks the kit's formula."""

from pslab.cost import server_step_s

BASE = "right_count_up"
REFUSED_BY = "four clusters"
MISCONCEPTION = "all/forbidden"


def how_many_servers(K, P, bandwidth_Bps, compute_s):
    step_s = [compute_s + server_step_s(P, K, S, 0.0, bandwidth_Bps) for S in range(1, K + 1)]
    return next(S for S, time_s in enumerate(step_s, start=1) if time_s <= 1.05 * step_s[-1])
