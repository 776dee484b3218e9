"""Ends with an empty message to everybody, which nobody receives."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    for s in range(1, K):
        dst, src = (r + s) % K, (r - s) % K
        sending = comm.isend(parts[dst], dst)
        result[src] = comm.recv(src)
        sending.wait()
    for q in range(K):
        if q != r:
            comm.isend(parts[q][:0], q)
    return result
