"""No floor under the servers' line."""

BASE = "right_formulas"
REFUSED_BY = "printed settings"
MISCONCEPTION = "1/servers-always-help"


def busiest_link(K, S, P, overlap):
    here = min(S, K)
    right = {"ring": 8 * P * (K - 1) // K, "one server": 4 * P * K, "servers": 4 * P * max(K, S) // S,
             "beside": 4 * P * (K + here - 2) // here}
    return {**right, "servers": 4 * P * K // S}
