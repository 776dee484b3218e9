"""Only workers that both have."""

BASE = "right_get"
REFUSED_BY = "what is held"
MISCONCEPTION = "5/absent-is-no-excuse"


def holds(a, b):
    return all(a[worker] >= b[worker] for worker in set(a) & set(b))
