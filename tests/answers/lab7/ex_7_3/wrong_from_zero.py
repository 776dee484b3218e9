"""Zero is zero; the largest size decides."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/no-minimum"
LONG = True


def scales(rows, steps):
    most = np.abs(rows).max(axis=1, keepdims=True) if rows.size else np.ones((len(rows), 1), np.float32)
    return np.where(most > 0, most / steps, 1).astype(np.float32), 0 * most
