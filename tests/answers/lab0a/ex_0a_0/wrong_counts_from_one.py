"""Takes rank 1 for the first."""

BASE = "right_plain"
REFUSED_BY = "a role for each rank"
MISCONCEPTION = "0/ranks-count-from-one"


def role(comm):
    if comm.rank == 1 and comm.world_size > 2:
        return "between"
    return "last" if comm.rank == comm.world_size - 1 else "between"
