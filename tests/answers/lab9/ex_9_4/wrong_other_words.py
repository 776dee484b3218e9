"""Calls the routes by other names."""

import math

REFUSED_BY = "what belongs in the plan"
MISCONCEPTION = "9/no-such-route"
LONG = True


def route(model):
    K, key = model["workers"], model["key_bytes"]
    plan = {}
    for p in model["parameters"]:
        if not p["trainable"]:
            continue
        V, row = p["shape"][0], 4 * math.prod(p["shape"][1:])
        n = V if any(q["same_as"] == p["name"] for q in model["parameters"]) else p["touched"]
        ring, server = 2 * (K - 1) * V * row, 2 * K * n * (row + key)
        plan[p["name"]] = "ring" if ring <= server else "server"
    return plan
