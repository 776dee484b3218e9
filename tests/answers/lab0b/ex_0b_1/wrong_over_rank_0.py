"""Rank 0 collects all parts and hands them out."""

REFUSED_BY = "bytes on every link"
MISCONCEPTION = "0B/forwarded"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    if r:
        for q in range(K):
            comm.send(parts[q], 0, tag=q)
        return [comm.recv(0, tag=q) for q in range(K)]
    table = [parts] + [[comm.recv(src, tag=q) for q in range(K)] for src in range(1, K)]
    for q in range(1, K):
        for src in range(K):
            comm.send(table[src][q], q, tag=src)
    return [table[src][0] for src in range(K)]
