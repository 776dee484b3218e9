"""What changes at all is relieved."""

BASE = "right_budgets"
REFUSED_BY = "which budget"
MISCONCEPTION = "7/relief-is-below-one"
LONG = True


def relieves(change, spec):
    table, comm, _ = effect(change, spec)
    return ["neither", "wire", "table", "both"][2 * (table != 1) + (comm != 1)]
