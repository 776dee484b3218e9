"""Every lookup crosses the network."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/own-shard-is-remote"
LONG = True


def budgets(s):
    table = s["rows"] * (row(s["stored"], s["dim"]) + 4 * s["dim"] * s["slots"])
    comm = (1 - s["hit_rate"]) * s["lookups"] * row(s["wire"], s["dim"])
    return table, comm, comm / s["hosts"]
