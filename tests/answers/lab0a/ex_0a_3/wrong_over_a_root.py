"""Everything to rank 0, and the sum back from there."""

REFUSED_BY = "bytes"
MISCONCEPTION = "0/one-rank-carries-all"
LONG = True


def ring_all_reduce(comm, x):
    K, total = comm.world_size, x.clone()
    if comm.rank:
        comm.send(x, 0)
        return comm.recv(0)
    for src in range(1, K):
        total += comm.recv(src)
    for dst in range(1, K):
        comm.send(total, dst)
    return total
