"""All-reduces everything."""

REFUSED_BY = "two names, one parameter"
MISCONCEPTION = "9/embedding-gradient-is-dense"
LONG = True


def route(model):
    return {p["name"]: "all-reduce" for p in model["parameters"] if p["trainable"]}
