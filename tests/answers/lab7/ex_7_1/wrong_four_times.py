"""int8 is a quarter, int4 an eighth."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/int8-is-4x"


def row(kind, D):
    return {"fp32": 4 * D, "int8": D, "int4": D / 2}[kind]
