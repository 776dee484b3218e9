"""Two small tables move half."""

BASE = "right_budgets"
REFUSED_BY = "at rest or on the move"
MISCONCEPTION = "7/qr-halves"
LONG = True


def effect(change, spec):
    after = changed(change, spec)
    if change[0] == "quotient-remainder":
        after["lookups"] = spec["lookups"] / 2
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
