"""Rows at rest in few bits travel in few bits."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/at-rest-is-on-the-wire"


def effect(change, spec):
    after = changed(change, spec)
    if change[0] == "stored":
        after = {**after, "wire": change[1]}
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
