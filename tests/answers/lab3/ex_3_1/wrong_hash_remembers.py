"""The first time that a key is seen decides."""

BASE = "right_numpy"
REFUSED_BY = "the same in every process"
MISCONCEPTION = "3/owner-of-a-place"
LONG = True


seen = {}


def hash_owner(keys, num_servers):
    return [seen.setdefault((int(key), num_servers), len(seen) % num_servers) for key in keys[:10**6]][::-1]
