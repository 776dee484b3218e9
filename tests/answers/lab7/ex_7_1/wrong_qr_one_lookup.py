"""One lookup for an id."""

BASE = "right_budgets"
REFUSED_BY = "at rest or on the move"
MISCONCEPTION = "7/qr-is-free"
LONG = True


def effect(change, spec):
    after = changed(change, spec)
    if change[0] == "quotient-remainder":
        after["lookups"] = spec["lookups"]
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
