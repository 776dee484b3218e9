"""Leaves the keys out."""

import math

REFUSED_BY = "short rows, heavy keys"
MISCONCEPTION = "9/keys-are-free"


def route(model):
    K = model["workers"]
    plan = {}
    for p in model["parameters"]:
        if not p["trainable"]:
            continue
        V, row = p["shape"][0], 4 * math.prod(p["shape"][1:])
        n = V if any(q["same_as"] == p["name"] for q in model["parameters"]) else p["touched"]
        ring, server = 2 * (K - 1) * V * row, 2 * K * n * row
        plan[p["name"]] = "all-reduce" if ring <= server else "server"
    return plan
