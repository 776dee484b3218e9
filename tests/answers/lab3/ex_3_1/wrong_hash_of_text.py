"""hash() of the key as text."""

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/hash-per-process"


def hash_owner(keys, num_servers):
    return [hash(str(int(key))) % num_servers for key in keys]
