"""An empty plan."""

REFUSED_BY = "every row at its new owner"
MISCONCEPTION = "3/rows-left-behind"
LONG = True


def movement_plan(old, new):
    return []
