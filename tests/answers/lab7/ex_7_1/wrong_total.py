"""The total for the busiest link."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/total-is-busiest"
LONG = True


def effect(change, spec):
    table, comm, _ = (new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))
    return table, comm, comm
