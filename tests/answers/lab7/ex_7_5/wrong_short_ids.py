"""Ids in four bytes."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/ids-in-four-bytes"
LONG = True

whole = exchange


def exchange(comm, parts):
    if parts[0].dtype == np.int64:
        return [part.astype(np.int64) for part in whole(comm, [part.astype(np.int32) for part in parts])]
    return whole(comm, parts)
