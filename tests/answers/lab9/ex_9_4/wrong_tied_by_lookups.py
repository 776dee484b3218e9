"""Decides for the tied pair by the look-ups."""

import math

REFUSED_BY = "two names, one parameter"
MISCONCEPTION = "9/tied-output-is-dense"
LONG = True


def route(model):
    K, key = model["workers"], model["key_bytes"]
    plan = {}
    for p in model["parameters"]:
        if not p["trainable"]:
            continue
        V, row = p["shape"][0], 4 * math.prod(p["shape"][1:])
        home = p["same_as"] or p["name"]
        n = next(q["touched"] for q in model["parameters"] if q["name"] == home)
        ring, server = 2 * (K - 1) * V * row, 2 * K * n * (row + key)
        plan[p["name"]] = "all-reduce" if ring <= server else "server"
    return plan
