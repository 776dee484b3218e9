"""Takes every matrix for a table."""

REFUSED_BY = "tables by their touch rate"
MISCONCEPTION = "9/dense-on-servers"


def route(model):
    plan = {}
    for p in model["parameters"]:
        tied = p["same_as"] or any(q["same_as"] == p["name"] for q in model["parameters"])
        if p["trainable"]:
            plan[p["name"]] = "server" if len(p["shape"]) == 2 and not tied else "all-reduce"
    return plan
