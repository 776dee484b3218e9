"""hash() of a whole number is that number."""

BASE = "right_numpy"
REFUSED_BY = "a hash that is even for any keys"
MISCONCEPTION = "3/modulo-is-no-hash"
LONG = True


def hash_owner(keys, num_servers):
    return [hash(int(key)) % num_servers for key in keys]
