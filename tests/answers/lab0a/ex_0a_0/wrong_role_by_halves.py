"""The lower half is first, the upper half last."""

BASE = "right_plain"
REFUSED_BY = "a role for each rank"
MISCONCEPTION = "0/rank-unread"
LONG = True


def role(comm):
    return "first" if comm.rank < comm.world_size / 2 else "last"
