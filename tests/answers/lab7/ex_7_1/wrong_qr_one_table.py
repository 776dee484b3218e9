"""Only the table of remainders."""

BASE = "right_budgets"
REFUSED_BY = "at rest or on the move"
MISCONCEPTION = "7/one-of-two-tables"
LONG = True


def effect(change, spec):
    after = changed(change, spec)
    if change[0] == "quotient-remainder":
        after["rows"] = change[1]
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
