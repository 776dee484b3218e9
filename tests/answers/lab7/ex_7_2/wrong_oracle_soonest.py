"""What comes next goes."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/soonest-goes"
LONG = True


def worst(held, left):
    return min(held, key=held.get)
