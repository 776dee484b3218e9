"""Groups by memory, two formulas, one comparison."""

import math

LONG = True


def route(model):
    K, key = model["workers"], model["key_bytes"]
    groups = {}
    for p in model["parameters"]:
        if p["trainable"]:
            groups.setdefault(p["same_as"] or p["name"], []).append(p)
    plan = {}
    for uses in groups.values():
        V, row = uses[0]["shape"][0], 4 * math.prod(uses[0]["shape"][1:])
        n = max(use["touched"] for use in uses)
        ring = 2 * (K - 1) * V * row
        server = 2 * K * n * (row + (key if n < V else 0))
        for use in uses:
            plan[use["name"]] = "all-reduce" if ring <= server else "server"
    return plan
