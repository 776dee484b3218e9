"""The table of one host."""

BASE = "right_budgets"
REFUSED_BY = "the chapter's four changes"
MISCONCEPTION = "7/hosts-shrink-the-table"
LONG = True


def effect(change, spec):
    table, comm, port = (new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))
    return table * spec["hosts"] / changed(change, spec)["hosts"], comm, port
