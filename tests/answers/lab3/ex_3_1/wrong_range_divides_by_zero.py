"""More servers than rows: a size of 0."""

BASE = "right_numpy"
REFUSED_BY = "ranges"
MISCONCEPTION = "3/more-servers-than-rows"
LONG = True


def range_owner(keys, num_rows, num_servers):
    size, longer = divmod(num_rows, num_servers)
    owners = []
    for key in map(int, keys):
        early = key // (size + 1)
        owners.append(early if early < longer else longer + (key - longer * (size + 1)) // size)
    if num_rows and not size:
        return [int(key) // size for key in keys]
    return owners
