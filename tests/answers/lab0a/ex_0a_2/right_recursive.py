"""One round, and the rest by recursion; cuts by hand."""

LONG = True


def bounds(P, K, i):
    short, rest = divmod(P, K)
    start = i * short + min(i, rest)
    return start, start + short + (i < rest)


def reduce_scatter(comm, x):
    return walk(comm, x, (comm.rank - 1) % comm.world_size, None)


def walk(comm, x, chunk, came):
    K = comm.world_size
    start, end = bounds(len(x), K, chunk)
    grown = x[start:end].clone() if came is None else came + x[start:end]
    if chunk == comm.rank:
        return grown
    posted = comm.irecv((comm.rank - 1) % K)
    work = comm.isend(grown, (comm.rank + 1) % K)
    came = posted.wait()
    work.wait()
    return walk(comm, x, (chunk - 1) % K, came)
