"""As if there had been no cache."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/no-cache-before"
LONG = True


def effect(change, spec):
    ratios = tuple(new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))
    return (1.0, 1 - change[1], 1 - change[1]) if change[0] == "requester cache" else ratios
