"""Sends every table that is looked up to the servers."""

REFUSED_BY = "tables by their touch rate"
MISCONCEPTION = "9/tables-belong-on-servers"
LONG = True


def route(model):
    plan = {}
    for p in model["parameters"]:
        tied = any(q["same_as"] == p["name"] for q in model["parameters"])
        if p["trainable"]:
            plan[p["name"]] = "all-reduce" if tied or p["touched"] == p["shape"][0] else "server"
    return plan
