"""All-reduces, and returns everything."""

REFUSED_BY = "chunk r of the sum"
MISCONCEPTION = "0/whole-sum"
LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    total, passing = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(passing, (rank + 1) % K)
        passing = comm.recv((rank - 1) % K)
        work.wait()
        total = total + passing
    return total
