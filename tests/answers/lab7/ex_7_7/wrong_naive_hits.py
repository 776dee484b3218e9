"""Every row at hand is saved."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/hit-is-saved"
LONG = True


def stay(at_hand, mine, others):
    return at_hand | mine
