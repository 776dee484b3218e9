"""Before over after."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/before-over-after"
LONG = True


def effect(change, spec):
    return tuple(old / new for new, old in zip(budgets(changed(change, spec)), budgets(spec)))
