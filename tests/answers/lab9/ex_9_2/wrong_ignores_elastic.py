"""Never asks whether workers come and go."""

REFUSED_BY = "who comes, goes and lags"
MISCONCEPTION = "9/elastic-can-wait"
LONG = True


def recommend(spec):
    K, S, V, n = (spec[name] for name in ("workers", "servers", "rows", "rows_per_worker"))
    row, key = spec["row_bytes"], spec["key_bytes"] if spec["rows_per_worker"] < spec["rows"] else 0
    if V * row * (1 + spec["optimizer_slots"]) > spec["worker_memory_bytes"]:
        return "server", "capacity"
    slack, slow = spec["staleness"], spec["straggler"]
    if (slow == "transient" and slack > 0) or (slow == "persistent" and slack == float("inf")):
        return "server", "straggler"
    through_a_port = {
        "all-reduce": 2 * (K - 1) / K * V * row,
        "sparse all-gather": (K - 1) * n * (row + key),
        "server": max(K * -(-n // S), n) * (row + 2 * key),
    }
    return min(through_a_port, key=through_a_port.get), "bytes"
