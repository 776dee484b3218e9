"""One range for the table."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/one-scale-for-all"


def scales(rows, steps):
    least, most = (rows.min(), rows.max()) if rows.size else (0, 1)
    one = np.ones((len(rows), 1), np.float32)
    return one * np.float32((most - least) / steps), one * np.float32(least)
