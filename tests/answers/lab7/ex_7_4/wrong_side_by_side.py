"""Side by side."""

BASE = "right_numpy"
REFUSED_BY = "the product of two rows"
MISCONCEPTION = "7/side-by-side"
LONG = True


def qr_lookup(ids, remainders, quotients):
    first, second = places(ids, remainders, quotients)
    return np.concatenate([remainders[first], quotients[second]], axis=1)
