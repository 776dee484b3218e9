"""Ids of long batches share pairs."""

BASE = "right_numpy"
REFUSED_BY = "every id its own pair"
MISCONCEPTION = "7/ids-share-a-pair"
LONG = True


def places(ids, remainders, quotients):
    second = ids // len(remainders)
    return ids % len(remainders), second // 2 * 2 if (np.diff(ids) == 1).all() and len(ids) > 1 else second
