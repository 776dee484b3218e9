"""Recommends a server, whatever the case."""

REFUSED_BY = "one copy does not fit"
MISCONCEPTION = "9/server-moves-less"


def recommend(spec):
    if spec["rows"] * spec["row_bytes"] * (1 + spec["optimizer_slots"]) > spec["worker_memory_bytes"]:
        return "server", "capacity"
    if spec["elastic"]:
        return "server", "elastic"
    slack, slow = spec["staleness"], spec["straggler"]
    if (slow == "transient" and slack > 0) or (slow == "persistent" and slack == float("inf")):
        return "server", "straggler"
    return "server", "bytes"
