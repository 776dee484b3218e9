"""How many come, then what."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/sizes-first"
LONG = True

whole = exchange


def exchange(comm, parts):
    if parts[0].dtype == np.int64:
        whole(comm, [np.array([len(part)]) for part in parts])
    return whole(comm, parts)
