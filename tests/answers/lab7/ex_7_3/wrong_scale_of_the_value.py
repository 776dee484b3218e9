"""A constant row is scaled by its value."""

BASE = "right_numpy"
REFUSED_BY = "a constant row"
MISCONCEPTION = "7/scale-of-a-constant-row"
LONG = True

of = scales


def scales(rows, steps):
    scale, least = of(rows, steps)
    constant = rows.max(axis=1, keepdims=True, initial=-1e30) == least
    return np.where(constant, least / 7, scale).astype(np.float32), np.where(constant, np.float32(0), least)
