"""Rules as data, the first that holds wins."""

import math

LONG = True


def fits(s):
    return s["worker_memory_bytes"] >= s["rows"] * s["row_bytes"] * (s["optimizer_slots"] + 1)


def outlasts(s):
    rounds_needed = {"none": math.inf, "transient": 1, "persistent": math.inf}[s["straggler"]]
    return s["straggler"] != "none" and s["staleness"] >= rounds_needed


RULES = [("capacity", lambda s: not fits(s)), ("elastic", lambda s: s["elastic"]), ("straggler", outlasts)]


def lightest(s):
    K, n, dense = s["workers"], s["rows_per_worker"], s["rows_per_worker"] == s["rows"]
    key = 0 if dense else s["key_bytes"]
    ring = 2 * s["rows"] * s["row_bytes"] * (K - 1) / K
    gather = (K - 1) * n * (s["row_bytes"] + key)
    server = max(K * math.ceil(n / s["servers"]), n) * (s["row_bytes"] + 2 * key)
    return min((ring, 0, "all-reduce"), (gather, 1, "sparse all-gather"), (server, 2, "server"))[2]


def recommend(spec):
    for reason, holds in RULES:
        if holds(spec):
            return "server", reason
    return lightest(spec), "bytes"
