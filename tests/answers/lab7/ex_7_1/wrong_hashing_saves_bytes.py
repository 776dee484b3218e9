"""A smaller table moves less."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/fewer-rows-fewer-bytes"
LONG = True


def effect(change, spec):
    after = changed(change, spec)
    if change[0] == "hashing":
        after["lookups"] = spec["lookups"] * change[1] / spec["rows"]
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
