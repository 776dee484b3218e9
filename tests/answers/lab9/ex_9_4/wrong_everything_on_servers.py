"""Puts everything on servers."""

REFUSED_BY = "two names, one parameter"
MISCONCEPTION = "9/tied-output-is-dense"
LONG = True


def route(model):
    return {p["name"]: "server" for p in model["parameters"] if p["trainable"]}
