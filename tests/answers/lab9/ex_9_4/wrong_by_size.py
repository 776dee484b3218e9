"""Sends what is large to the servers."""

import math

REFUSED_BY = "two names, one parameter"
MISCONCEPTION = "9/tied-output-is-dense"


def route(model):
    trained = [p for p in model["parameters"] if p["trainable"]]
    return {p["name"]: "all-reduce" if math.prod(p["shape"]) < 250_000 else "server" for p in trained}
