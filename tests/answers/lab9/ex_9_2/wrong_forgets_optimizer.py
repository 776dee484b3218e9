"""Compares the parameters alone with the memory."""

REFUSED_BY = "one copy does not fit"
MISCONCEPTION = "9/optimizer-state-is-free"
LONG = True


def recommend(spec):
    K, S, V, n = (spec[name] for name in ("workers", "servers", "rows", "rows_per_worker"))
    row, key = spec["row_bytes"], spec["key_bytes"] if spec["rows_per_worker"] < spec["rows"] else 0
    if V * row > spec["worker_memory_bytes"]:
        return "server", "capacity"
    if spec["elastic"]:
        return "server", "elastic"
    slack, slow = spec["staleness"], spec["straggler"]
    if (slow == "transient" and slack > 0) or (slow == "persistent" and slack == float("inf")):
        return "server", "straggler"
    through_a_port = {
        "all-reduce": 2 * (K - 1) / K * V * row,
        "sparse all-gather": (K - 1) * n * (row + key),
        "server": max(K * -(-n // S), n) * (row + 2 * key),
    }
    return min(through_a_port, key=through_a_port.get), "bytes"
