"""The own push makes it stale."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/own-push-invalidates"
LONG = True


def stay(at_hand, mine, others):
    return (at_hand | mine) - others - mine
