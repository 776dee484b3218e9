"""What comes least often goes."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/fewest-to-come"
LONG = True


def worst(held, left):
    return min(held, key=left.get)
