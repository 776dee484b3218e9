"""Takes rank 1 for the last, as it is with two."""

BASE = "right_plain"
REFUSED_BY = "a role for each rank"
MISCONCEPTION = "0/last-is-fixed"
LONG = True


def role(comm):
    return {0: "first", 1: "last"}.get(comm.rank, "between")
