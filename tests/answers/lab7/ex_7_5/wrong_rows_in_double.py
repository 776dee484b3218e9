"""Rows travel as float64."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/more-than-asked"
LONG = True

whole = exchange


def exchange(comm, parts):
    if parts[0].dtype == np.float32:
        return [part.astype(np.float32) for part in whole(comm, [part.astype(np.float64) for part in parts])]
    return whole(comm, parts)
