"""Adds up all links."""

REFUSED_BY = "fewest bytes through a port"
MISCONCEPTION = "9/total-is-busiest"


def recommend(spec):
    K, V, n = (spec[name] for name in ("workers", "rows", "rows_per_worker"))
    row, key = spec["row_bytes"], spec["key_bytes"] if spec["rows_per_worker"] < spec["rows"] else 0
    if V * row * (1 + spec["optimizer_slots"]) > spec["worker_memory_bytes"]:
        return "server", "capacity"
    if spec["elastic"]:
        return "server", "elastic"
    slack, slow = spec["staleness"], spec["straggler"]
    if (slow == "transient" and slack > 0) or (slow == "persistent" and slack == float("inf")):
        return "server", "straggler"
    through_a_port = {
        "all-reduce": 2 * (K - 1) * V * row,
        "sparse all-gather": K * (K - 1) * n * (row + key),
        "server": 2 * K * n * (row + key),
    }
    return min(through_a_port, key=through_a_port.get), "bytes"
