"""Skips empty parts, and knows which are empty from a global of the process."""

REFUSED_BY = "in real processes"
MISCONCEPTION = "0/ranks-share-nothing"
LENGTHS = {}


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    for q in range(K):
        LENGTHS[r, q] = len(parts[q])
    first, last = (r + 1) % K, (r - 1) % K
    result = [part[:0] for part in parts]
    result[r] = parts[r]
    if K > 1:                                            # one message with every rank, so that all have written
        works = [comm.isend(parts[q], q) for q in {first, last} if q != r]
        for q in {first, last}:
            result[q] = comm.recv(q)
        for work in works:
            work.wait()
    rest = [q for q in range(K) if q not in (r, first, last)]
    works = [comm.isend(parts[q], q) for q in rest if len(parts[q])]
    for q in rest:
        if LENGTHS.get((q, r)):
            result[q] = comm.recv(q)
    for work in works:
        work.wait()
    if not all((q, r) in LENGTHS for q in range(K)):
        raise KeyError("whose lengths?")
    return result
