"""A cache at the owner saves the wire."""

BASE = "right_budgets"
REFUSED_BY = "where a cache stands"
MISCONCEPTION = "7/cache-at-the-owner"


def effect(change, spec):
    after = {**spec, "hit_rate": change[1]} if change[0] == "owner cache" else changed(change, spec)
    return tuple(new / old for new, old in zip(budgets(after), budgets(spec)))
