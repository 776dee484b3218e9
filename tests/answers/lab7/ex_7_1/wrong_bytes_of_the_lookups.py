"""The dimension counts twice."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/effect-miscounted"
LONG = True


def row(kind, D):
    return {"fp32": 4 * D, "int8": D + 4, "int4": D / 2 + 2}[kind]
