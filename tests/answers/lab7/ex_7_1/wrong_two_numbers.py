"""Two ratios of three."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "all/bad-value"
LONG = True


def effect(change, spec):
    return tuple(new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))[:2]
