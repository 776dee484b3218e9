"""hash() of the key's eight bytes."""

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/hash-per-process"
LONG = True


def hash_owner(keys, num_servers):
    return [hash(int(key).to_bytes(8, "little")) % num_servers for key in keys]
