"""Divides by a range of nothing."""

BASE = "right_numpy"
REFUSED_BY = "a constant row"
MISCONCEPTION = "7/scale-of-a-constant-row"
LONG = True


def scales(rows, steps):
    least = rows.min(axis=1, keepdims=True) if rows.size else np.zeros((len(rows), 1), np.float32)
    span = rows.max(axis=1, keepdims=True) - least if rows.size else least
    with np.errstate(all="ignore"):
        return (span / steps).astype(np.float32) / (span > 0), least
