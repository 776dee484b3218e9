"""Up a binomial tree and down again: whole tensors through rank 0."""

REFUSED_BY = "bytes"
MISCONCEPTION = "0/one-rank-carries-all"
LONG = True


def ring_all_reduce(comm, x):
    K, rank, total, mask = comm.world_size, comm.rank, x.clone(), 1
    while mask < K and not rank & mask:
        if rank + mask < K:
            total += comm.recv(rank + mask)
        mask *= 2
    if rank:
        comm.send(total, rank - mask)
        total = comm.recv(rank - mask)
    while mask > 1:
        mask //= 2
        if rank + mask < K:
            comm.send(total, rank + mask)
    return total
