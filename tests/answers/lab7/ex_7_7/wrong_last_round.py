"""From one round to the next."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/last-round-only"
LONG = True


def stay(at_hand, mine, others):
    return mine - others
