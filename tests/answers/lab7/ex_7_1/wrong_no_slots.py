"""The optimizer's numbers weigh nothing."""

BASE = "right_budgets"
REFUSED_BY = "at rest or on the move"
MISCONCEPTION = "7/slots-forgotten"
LONG = True


def budgets(s):
    comm = (1 - s["hit_rate"]) * s["lookups"] * (s["hosts"] - 1) / s["hosts"] * row(s["wire"], s["dim"])
    return s["rows"] * row(s["stored"], s["dim"]), comm, comm / s["hosts"]
