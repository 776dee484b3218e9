"""Every part walks from neighbour to neighbour until it is at its target."""

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "0B/forwarded"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    bag = [parts[(r + s) % K] for s in range(1, K)]     # nearest target first
    for s in range(1, K):
        works = [comm.isend(part, (r + 1) % K, tag=i) for i, part in enumerate(bag)]
        came = [comm.recv((r - 1) % K, tag=i) for i in range(len(bag))]
        for work in works:
            work.wait()
        result[(r - s) % K], bag = came[0], came[1:]
    return result
